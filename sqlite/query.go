package sqlite

import (
	"database/sql"
	"errors"

	"github.com/symbolon/symbolon"
)

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
