package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

const opEnd = "postgres: end"

// End implements symbolon.Store. For a pair it counts the connections, or the
// consent when there was no connection.
func (db *DB) End(ctx context.Context, e symbolon.End) (int, error) {
	db.sweep.saw(e.Now)
	var end func(tx *transaction) (int64, error)
	switch now := millis(e.Now); {
	case e.Connection != symbolon.ConnectionID{}:
		return ask(ctx, db.ends, opEnd, e)
	case e.Browser != [32]byte{}:
		end = func(tx *transaction) (int64, error) { return tx.endSessions(e.Browser, e.Account) }
	case e.Account != "" && e.Client != "":
		end = func(tx *transaction) (int64, error) { return tx.endPair(e.Account, e.Client, e.Reason, now) }
	case e.Account != "":
		end = func(tx *transaction) (int64, error) { return tx.endAccount(e.Account, e.Delete, now) }
	case e.Client != "":
		end = func(tx *transaction) (int64, error) { return tx.endApp(e.Client, e.Delete, now) }
	default:
		return 0, symbolon.Errorf(symbolon.Invalid, opEnd, "nothing is named")
	}
	var n int64
	err := db.write(ctx, opEnd, func(tx *transaction) (err error) {
		n, err = end(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

type endRequest = request[symbolon.End, int]

// endAll ends connections, and tokens that have none. Whoever finds a connection
// ended is told that it is over, so that must be as durable as an end: the end may
// have been seen on the primary before a standby has it. The lock of the row is
// enough of a change for the commit to wait for all that was committed before it.
func (db *DB) endAll(ctx context.Context, c *pgxpool.Conn, batch []*endRequest) error {
	err := db.transact(ctx, c, func(tx *transaction) error {
		ids := make([]symbolon.ConnectionID, len(batch))
		for i, r := range batch {
			ids[i] = r.ask.Connection
		}
		rows, err := tx.lock(ids)
		if err != nil {
			return err
		}
		for _, r := range batch { // one after the other, as if each were alone
			row, now := rows[r.ask.Connection], millis(r.ask.Now)
			r.out = 0
			switch {
			case row != nil && row.end(tx, r.ask.Reason, now):
				r.out = 1
			case row != nil:
				tx.wrote = true
			case r.ask.Token:
				tx.change(change{kind: symbolon.ConnectionEnded, connection: r.ask.Connection, at: now})
				r.out = 1
			}
		}
		return tx.keep(rows)
	})
	if err != nil {
		return err
	}
	settle(batch)
	return nil
}

func (tx *transaction) endSessions(browser [32]byte, account symbolon.AccountID) (int64, error) {
	return tx.exec(`
		DELETE FROM session
		WHERE browser = $1 AND ($2 = '' OR account_no = (SELECT no FROM account WHERE id = $2))`, browser[:], string(account))
}

// endPair locks the account first, so that no connection of the pair is born
// between the statements: see insertAll. The lock is a change, as in endAll.
func (tx *transaction) endPair(account symbolon.AccountID, client symbolon.ClientID, reason symbolon.Reason, now int64) (int64, error) {
	var no int64
	err := tx.row(`SELECT no FROM account WHERE id = $1 FOR UPDATE`, []any{string(account)}, &no)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	tx.wrote = true
	forgotten, err := tx.exec(`DELETE FROM consent WHERE account_no = $1 AND client = $2`, no, string(client))
	if err != nil {
		return 0, err
	}
	rows, err := tx.Tx.Query(tx.ctx, `
		SELECT id FROM connection
		WHERE account_no = $1 AND app_no = (SELECT no FROM app WHERE id = $2) AND ended_at IS NULL
		ORDER BY id FOR UPDATE`, no, string(client))
	ids, err := collect(rows, err, pgx.RowTo[[16]byte])
	if err != nil {
		return 0, err
	}
	n, before := forgotten, now
	if len(ids) > 0 {
		ended, err := tx.exec(`UPDATE connection SET ended_at = $2, ended_by = nullif($3, '') WHERE id = ANY ($1)`, ids, now, string(reason))
		if err != nil {
			return 0, err
		}
		n = max(n, ended)
		// One that was made by a clock that is ahead was born after now, and is over, too.
		before = max(before, millis(symbolon.ConnectionID(ids[len(ids)-1]).Time()))
	}
	if n > 0 {
		tx.change(change{kind: symbolon.PairEnded, account: account, client: client, before: before, at: now})
	}
	return n, nil
}

func (tx *transaction) endAccount(id symbolon.AccountID, remove bool, now int64) (int64, error) {
	var no, before int64
	err := tx.returning(`
		UPDATE account SET not_before = greatest(not_before, $2), version = version + 1
		WHERE id = $1 AND deleted_at IS NULL AND ($3 OR not_before < $2)
		RETURNING no, not_before`, []any{string(id), now, remove}, &no, &before)
	if missing(err) {
		return 0, tx.confirm(`SELECT no FROM account WHERE id = $1 FOR UPDATE`, string(id))
	}
	if err != nil {
		return 0, err
	}
	statements := []string{`DELETE FROM session WHERE account_no = $1`, `DELETE FROM consent WHERE account_no = $1`}
	if remove {
		statements = append(statements, `
			UPDATE account SET username = NULL, name = '', password = '', profile = '{}', factors = '', deleted_at = not_before, disabled_at = not_before
			WHERE no = $1`)
	}
	for _, statement := range statements {
		if _, err := tx.exec(statement, no); err != nil {
			return 0, err
		}
	}
	tx.change(change{kind: symbolon.AccountEnded, account: id, before: before, at: now})
	return 1, nil
}

func (tx *transaction) endApp(id symbolon.ClientID, remove bool, now int64) (int64, error) {
	var before int64
	err := tx.returning(`
		UPDATE app SET not_before = greatest(not_before, $2), version = version + 1
		WHERE id = $1 AND deleted_at IS NULL AND ($3 OR not_before < $2)
		RETURNING not_before`, []any{string(id), now, remove}, &before)
	if missing(err) {
		return 0, tx.confirm(`SELECT no FROM app WHERE id = $1 FOR UPDATE`, string(id))
	}
	if err != nil {
		return 0, err
	}
	statements := []string{`DELETE FROM consent WHERE client = $1`}
	if remove {
		statements = append(statements, `
			UPDATE app SET name = '', home = '', secrets = '[]', redirect_uris = '[]', scope = '', settings = '{}', deleted_at = not_before
			WHERE id = $1`)
	}
	for _, statement := range statements {
		if _, err := tx.exec(statement, string(id)); err != nil {
			return 0, err
		}
	}
	tx.change(change{kind: symbolon.AppEnded, client: id, before: before, at: now})
	tx.change(change{kind: symbolon.AppChanged, client: id, at: now})
	return 1, nil
}

// confirm makes what was read as durable as an end, where it was found that there
// is nothing left to end: see endAll. The query locks the row that was read.
func (tx *transaction) confirm(query, id string) error {
	var no int64
	err := tx.row(query, []any{id}, &no)
	if missing(err) {
		return nil
	}
	tx.wrote = tx.wrote || err == nil
	return err
}
