package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
)

var (
	_ symbolon.Source = (*DB)(nil)
	_ symbolon.Target = (*DB)(nil)
)

const opTransfer = "sqlite: transfer"

// State implements symbolon.Holder.
func (db *DB) State(ctx context.Context) (symbolon.StoreState, error) {
	var state symbolon.StoreState
	err := db.read(ctx, opTransfer, func(f *file) error {
		var epoch []byte
		var moving sql.NullInt64
		var last sql.NullInt64
		err := f.row(ctx, `
			SELECT epoch, commits, coalesce(sandbox, 0), moving, coalesce(moved, ''), (SELECT max(seq) FROM sqlite_sequence WHERE name = 'change')
			FROM mark`, nil, &epoch, &state.Commits, &state.Sandbox, &moving, &state.MovedTo, &last)
		if err == nil && copy(state.Epoch[:], epoch) != len(state.Epoch) {
			err = errDamaged
		}
		state.LastChange, state.Moving = last.Int64, moving.Valid
		if moving.Valid {
			state.Commits = uint64(moving.Int64)
		}
		return err
	})
	return state, err
}

// Count implements symbolon.Holder.
func (db *DB) Count(ctx context.Context, t symbolon.Table) (n int64, err error) {
	err = db.read(ctx, opTransfer, func(f *file) error {
		return f.row(ctx, `SELECT count(*) FROM `+t.Name, nil, &n)
	})
	return n, err
}

// Page implements symbolon.Holder.
func (db *DB) Page(ctx context.Context, t symbolon.Table, after symbolon.Row) ([]symbolon.Row, error) {
	where := ""
	if after != nil {
		where = `WHERE (` + symbolon.ColumnList(t.Columns[:t.Key]) + `) > (` + parameters(t.Key) + `) `
	}
	return db.rows(ctx, t, t.Columns, where+`ORDER BY `+symbolon.ColumnList(t.Columns[:t.Key])+` LIMIT `+strconv.Itoa(t.Page), after[:min(t.Key, len(after))])
}

// Last implements symbolon.Target.
func (db *DB) Last(ctx context.Context, t symbolon.Table) (symbolon.Row, error) {
	var order []string
	for _, c := range t.Columns[:t.Key] {
		order = append(order, c.Name+` DESC`)
	}
	rows, err := db.rows(ctx, t, t.Columns[:t.Key], `ORDER BY `+strings.Join(order, ", ")+` LIMIT 1`, nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// rows reads columns of a table.
func (db *DB) rows(ctx context.Context, t symbolon.Table, columns []symbolon.Column, rest string, args symbolon.Row) ([]symbolon.Row, error) {
	var list []symbolon.Row
	err := db.read(ctx, opTransfer, func(f *file) error {
		rows, err := f.query(ctx, `SELECT `+symbolon.ColumnList(columns)+` FROM `+t.Name+` `+rest, args...)
		list, err = collect(rows, err, func(rows *sql.Rows) (symbolon.Row, error) { return scanRow(rows, t, columns) })
		return err
	})
	return list, err
}

// scanRow reads a row as symbolon.Row has it.
func scanRow(rows *sql.Rows, t symbolon.Table, columns []symbolon.Column) (symbolon.Row, error) {
	row := make(symbolon.Row, len(columns))
	into := make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, c := range columns {
		right := row[i] == nil
		switch v := row[i].(type) {
		case int64:
			right = c.Kind == symbolon.Number || c.Kind == symbolon.Truth && (v == 0 || v == 1)
			if c.Kind == symbolon.Truth {
				row[i] = v == 1
			} else if based(t, c) {
				right, row[i] = v >= seqBase, v-seqBase
			}
		case string:
			right = c.Kind == symbolon.Text
		case []byte:
			right = c.Kind == symbolon.Octets || c.Kind == symbolon.ID128 && len(v) == 16
			if v == nil { // how the driver returns bytes that are there and none
				row[i] = []byte{}
			}
		}
		if !right {
			return nil, fmt.Errorf("%w: table %s, column %s holds a %T", errDamaged, t.Name, c.Name, row[i])
		}
	}
	return row, nil
}

// based reports whether a column counts from seqBase.
func based(t symbolon.Table, c symbolon.Column) bool {
	return t.Name == "connection" && c.Name == "seq"
}

// Enter implements symbolon.Target.
func (db *DB) Enter(ctx context.Context, from symbolon.StoreState) error {
	return db.alone(ctx, func(c *conn) error {
		_, err := c.exec(`UPDATE mark SET epoch = ?, moving = ?`, from.Epoch[:], int64(from.Commits))
		return err
	})
}

// Clear implements symbolon.Target.
func (db *DB) Clear(ctx context.Context, t symbolon.Table) error {
	return db.alone(ctx, func(c *conn) error {
		_, err := c.exec(`DELETE FROM ` + t.Name)
		return err
	})
}

// Load implements symbolon.Target.
func (db *DB) Load(ctx context.Context, t symbolon.Table, rows []symbolon.Row) error {
	return db.alone(ctx, func(c *conn) error {
		insert := `INSERT INTO ` + t.Name + ` (` + symbolon.ColumnList(t.Columns) + `) VALUES (` + parameters(len(t.Columns)) + `)`
		args := make([]any, len(t.Columns))
		for _, row := range rows {
			copy(args, row)
			for i, column := range t.Columns {
				if seq, ok := args[i].(int64); ok && based(t, column) {
					args[i] = seq + seqBase
				}
			}
			if _, err := c.exec(insert, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Settle implements symbolon.Target.
func (db *DB) Settle(ctx context.Context, from symbolon.StoreState) error {
	return db.alone(ctx, func(c *conn) error {
		if _, err := c.exec(`DELETE FROM sqlite_sequence WHERE name = 'change'`); err != nil {
			return err
		}
		if _, err := c.exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ('change', ?)`, from.LastChange); err != nil {
			return err
		}
		_, err := c.exec(`UPDATE mark SET commits = ?, moving = NULL, moved = NULL`, int64(from.Commits))
		return err
	})
}

// Leave implements symbolon.Source.
func (db *DB) Leave(ctx context.Context, as symbolon.StoreState, to string) error {
	return db.alone(ctx, func(c *conn) error {
		n, err := c.exec(`UPDATE mark SET moved = ? WHERE commits = ? AND moving IS NULL`, to, int64(as.Commits))
		if err == nil && n == 0 {
			return symbolon.Errorf(symbolon.Conflict, opTransfer, "it was changed while its rows were read")
		}
		return err
	})
}

// Stay undoes Leave: the database may be opened and changed again, as it was
// when it was left.
func (db *DB) Stay(ctx context.Context) error {
	return db.alone(ctx, func(c *conn) error {
		_, err := c.exec(`UPDATE mark SET moved = NULL`)
		return err
	})
}

// alone runs a change in a transaction of its own, beside those that are counted.
func (db *DB) alone(ctx context.Context, change func(c *conn) error) error {
	f, err := db.opened(ctx, opTransfer)
	if err != nil {
		return err
	}
	c, err := f.connect(ctx)
	if err != nil {
		return symbolon.Wrap(symbolon.Busy, opTransfer, err)
	}
	defer c.close()
	if _, err = c.exec(`BEGIN IMMEDIATE`); err != nil {
		return changeError(opTransfer, err)
	}
	if err = change(c); err != nil {
		_, undone := c.exec(`ROLLBACK`)
		return changeError(opTransfer, errors.Join(err, undone))
	}
	_, err = c.exec(`COMMIT`)
	if err != nil && uncertain(err) {
		return symbolon.Wrap(symbolon.Unknown, opTransfer, err)
	}
	return changeError(opTransfer, err)
}

// parameters are n of them.
func parameters(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
