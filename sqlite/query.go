package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/symbolon/symbolon"
)

// prepare returns the statement for reading, which is prepared at its first use.
// There are as many as there are texts in this package.
func (f *file) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, found := f.stmts.Load(query); found {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := f.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, found := f.stmts.LoadOrStore(query, stmt); found {
		return first.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// query runs a statement that reads rows.
func (f *file) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := f.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// row runs a statement that reads one row. The error is sql.ErrNoRows when there
// is none.
func (f *file) row(ctx context.Context, query string, args []any, into ...any) error {
	stmt, err := f.prepare(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(into...)
}

// collect reads every row by scan, and closes them.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	var list []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, item)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

func atLeastOne(op string, limit int) error {
	if limit < 1 {
		return symbolon.Errorf(symbolon.Invalid, op, "the limit is %d, want at least 1", limit)
	}
	return nil
}
