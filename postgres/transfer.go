package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Target = (*DB)(nil)

const opTransfer = "postgres: transfer"

// State implements symbolon.Holder.
func (db *DB) State(ctx context.Context) (symbolon.StoreState, error) {
	var state symbolon.StoreState
	err := db.read(ctx, opTransfer, func(ctx context.Context, c *pgxpool.Conn) error {
		var commits int64
		err := c.QueryRow(ctx, `
			SELECT epoch, coalesce(moving, beats), coalesce(sandbox, false), moving IS NOT NULL, coalesce(moved, ''), (SELECT last FROM feed)
			FROM mark`).Scan(&state.Epoch, &commits, &state.Sandbox, &state.Moving, &state.MovedTo, &state.LastChange)
		state.Commits = uint64(commits)
		return err
	})
	return state, err
}

// Count implements symbolon.Holder.
func (db *DB) Count(ctx context.Context, t symbolon.Table) (n int64, err error) {
	err = db.read(ctx, opTransfer, func(ctx context.Context, c *pgxpool.Conn) error {
		return c.QueryRow(ctx, `SELECT count(*) FROM `+t.Name).Scan(&n)
	})
	return n, err
}

// Page implements symbolon.Holder.
func (db *DB) Page(ctx context.Context, t symbolon.Table, after symbolon.Row) ([]symbolon.Row, error) {
	key, where, args := t.Columns[:t.Key], "", symbolon.Row(nil)
	if after != nil {
		places := make([]string, t.Key)
		for i := range places {
			places[i] = `$` + strconv.Itoa(i+1)
		}
		where, args = `WHERE (`+symbolon.ColumnList(key)+`) > (`+strings.Join(places, ", ")+`) `, stored(key, after[:t.Key])
	}
	return db.rows(ctx, t.Columns, `SELECT `+symbolon.ColumnList(t.Columns)+` FROM `+t.Name+` `+where+
		`ORDER BY `+symbolon.ColumnList(key)+` LIMIT `+strconv.Itoa(t.Page), args)
}

// Last implements symbolon.Target.
func (db *DB) Last(ctx context.Context, t symbolon.Table) (symbolon.Row, error) {
	key := t.Columns[:t.Key]
	rows, err := db.rows(ctx, key, `SELECT `+symbolon.ColumnList(key)+` FROM `+t.Name+
		` ORDER BY `+strings.ReplaceAll(symbolon.ColumnList(key), ",", " DESC,")+` DESC LIMIT 1`, nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// rows reads the rows of a query, which has these columns.
func (db *DB) rows(ctx context.Context, columns []symbolon.Column, query string, args symbolon.Row) ([]symbolon.Row, error) {
	var list []symbolon.Row
	err := db.read(ctx, opTransfer, func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, query, args...)
		list, err = collect(rows, err, func(row pgx.CollectableRow) (symbolon.Row, error) {
			values, err := row.Values()
			if err != nil {
				return nil, err
			}
			return carried(columns, values)
		})
		return err
	})
	return list, err
}

// carried returns values of the driver as symbolon.Row has them.
func carried(columns []symbolon.Column, values []any) (symbolon.Row, error) {
	row := symbolon.Row(values)
	for i, c := range columns {
		right := row[i] == nil
		switch v := row[i].(type) {
		case int64:
			right = c.Kind == symbolon.Number
		case int16:
			right, row[i] = c.Kind == symbolon.Number, int64(v)
		case bool:
			right = c.Kind == symbolon.Truth
		case string:
			right = c.Kind == symbolon.Text
		case []byte:
			right = c.Kind == symbolon.Octets
		case [16]byte:
			right, row[i] = c.Kind == symbolon.ID128, v[:]
		}
		if !right {
			return nil, fmt.Errorf("%w: column %s holds a %T", errDamaged, c.Name, row[i])
		}
	}
	return row, nil
}

// stored returns the values of a row as the driver takes them.
func stored(columns []symbolon.Column, row symbolon.Row) symbolon.Row {
	values := make(symbolon.Row, len(columns), len(columns)+1)
	copy(values, row)
	for i, c := range columns {
		if id, ok := values[i].([]byte); ok && c.Kind == symbolon.ID128 && len(id) == 16 {
			values[i] = [16]byte(id)
		}
	}
	return values
}

// Enter implements symbolon.Target.
func (db *DB) Enter(ctx context.Context, from symbolon.StoreState) error {
	return db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// Its own condition, since another may have filled it and serve it by now.
		tag, err := tx.Exec(ctx, `
			UPDATE mark SET epoch = $1, moving = $2
			WHERE moving IS NOT NULL OR NOT EXISTS (SELECT FROM sealing_key)
				AND NOT EXISTS (SELECT FROM app) AND NOT EXISTS (SELECT FROM account) AND NOT EXISTS (SELECT FROM connection)
				AND NOT EXISTS (SELECT FROM scope)`,
			from.Epoch, int64(from.Commits))
		if err == nil && tag.RowsAffected() == 0 {
			return errNotFilling
		}
		return err
	})
}

// errNotFilling keeps one who was slow from emptying what another has filled, and
// serves, meanwhile.
var errNotFilling = symbolon.Errorf(symbolon.Conflict, opTransfer, "it is not being filled any more: another move into it was finished meanwhile, or something was made in it")

// filling holds the database to being filled until the transaction ends.
func filling(ctx context.Context, tx pgx.Tx) error {
	var still bool
	err := tx.QueryRow(ctx, `SELECT moving IS NOT NULL FROM mark FOR SHARE`).Scan(&still)
	if err == nil && !still {
		return errNotFilling
	}
	return err
}

// Clear implements symbolon.Target.
func (db *DB) Clear(ctx context.Context, t symbolon.Table) error {
	return db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := filling(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `TRUNCATE `+t.Name)
		return err
	})
}

// Load implements symbolon.Target.
func (db *DB) Load(ctx context.Context, t symbolon.Table, rows []symbolon.Row) error {
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, c.Name)
	}
	once := t.Name == "once"
	if once {
		columns = append(columns, "made_at") // which nobody reads once the row is there
	}
	return db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := filling(ctx, tx); err != nil {
			return err
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			values := stored(t.Columns, rows[i])
			if once {
				values = append(values, int64(0))
			}
			return values, nil
		}))
		return err
	})
}

// Settle implements symbolon.Target.
func (db *DB) Settle(ctx context.Context, from symbolon.StoreState) error {
	// Before the first request, since plans are made by what is known of the tables.
	for _, t := range symbolon.Tables() {
		if err := db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `ANALYZE `+t.Name)
			return err
		}); err != nil {
			return err
		}
	}
	return db.change(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := filling(ctx, tx); err != nil {
			return err
		}
		for _, table := range []string{"account", "app"} {
			var next int64
			if err := tx.QueryRow(ctx, `SELECT coalesce(max(no), 0) + 1 FROM `+table).Scan(&next); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `ALTER TABLE `+table+` ALTER COLUMN no RESTART WITH `+strconv.FormatInt(next, 10)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE feed SET last = $1`, from.LastChange); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE mark SET moving = NULL, moved = NULL, beats = greatest(beats, $1)`, int64(from.Commits))
		return err
	})
}

// change runs a change in a transaction of its own.
func (db *DB) change(ctx context.Context, apply func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, db.options.Wait)
	defer cancel()
	err := onConn(ctx, db.pool, func(c *pgxpool.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		if err := apply(ctx, tx); err != nil {
			_ = tx.Rollback(ctx) // the pool throws a connection away that is still in a transaction
			return err
		}
		return committed(c, tx.Commit(ctx))
	})
	return changeError(opTransfer, err)
}
