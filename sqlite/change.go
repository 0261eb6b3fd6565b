package sqlite

import (
	"context"
	"database/sql"

	"github.com/symbolon/symbolon"
)

// Changes implements symbolon.Store.
func (db *DB) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	const op = "sqlite: changes"
	if err := atLeastOne(op, limit); err != nil {
		return nil, after, err
	}
	var next symbolon.Cursor
	var list []symbolon.Change
	err := db.read(ctx, op, func(f *file) error {
		// Read first: what is committed between the two is then more, never a gap.
		var last sql.NullInt64
		err := f.row(ctx, `SELECT max(seq) FROM sqlite_sequence WHERE name = 'change'`, nil, &last)
		if err != nil {
			return err
		}
		if next = after; last.Int64 == int64(after) {
			return nil
		}
		var first symbolon.Cursor
		rows, err := f.query(ctx, `
			SELECT no, kind, connection, account, client, before, at FROM change WHERE no > ? ORDER BY no LIMIT ?`, after, limit)
		list, err = collect(rows, err, func(rows *sql.Rows) (symbolon.Change, error) {
			change, err := scanChange(rows, &next)
			if first == 0 {
				first = next
			}
			return change, err
		})
		// Numbers have no gaps. Who finds one has stood still for so long that what it
		// missed was swept; and a database that has not come as far as the cursor was
		// put back to an older state. Then begin again.
		switch {
		case err != nil:
		case after != 0 && first != after+1:
			list, next = nil, 0
		case len(list) == 0:
			next = symbolon.Cursor(last.Int64)
		}
		return err
	})
	if err != nil {
		return nil, after, err
	}
	return list, next, nil
}

func scanChange(rows *sql.Rows, next *symbolon.Cursor) (symbolon.Change, error) {
	var c symbolon.Change
	var id []byte
	var account, client sql.NullString
	var before sql.NullInt64
	var at int64
	if err := rows.Scan(next, &c.Kind, &id, &account, &client, &before, &at); err != nil {
		return c, err
	}
	if id != nil && copy(c.ID[:], id) != len(c.ID) {
		return c, errDamaged
	}
	c.Account, c.Client = symbolon.AccountID(account.String), symbolon.ClientID(client.String)
	c.Before, c.At = moment(before.Int64), moment(at)
	return c, nil
}

// change is a row of the table change, without a connection.
type change struct {
	kind    symbolon.ChangeKind
	account symbolon.AccountID
	client  symbolon.ClientID
	before  int64
	at      int64
}

func (tx *transaction) change(c change) error {
	_, err := tx.exec(`
		INSERT INTO change (kind, account, client, before, at)
		VALUES (?, nullif(?, ''), nullif(?, ''), nullif(?, 0), ?)`, c.kind, c.account, c.client, c.before, c.at)
	return err
}

// changeEnded says in Changes that the connection is over.
func (tx *transaction) changeEnded(id symbolon.ConnectionID, at int64) error {
	_, err := tx.exec(`
		INSERT INTO change (kind, connection, account, client, at)
		SELECT ?2, connection.id, account.id, app.id, ?3
		FROM connection
			JOIN account ON account.no = connection.account_no
			JOIN app ON app.no = connection.app_no
		WHERE connection.id = ?1`, id[:], symbolon.ConnectionEnded, at)
	return err
}
