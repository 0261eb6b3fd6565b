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
		end = func(tx *transaction) (int64, error) {
			return tx.endSessions(`browser = $1`, e.Browser[:], e.Account, e.Reason, now)
		}
	case e.Session != symbolon.SessionID{} && e.Account != "":
		end = func(tx *transaction) (int64, error) {
			return tx.endSessions(`id = $1`, [16]byte(e.Session), e.Account, e.Reason, now)
		}
	case e.Session != symbolon.SessionID{}:
		return 0, symbolon.Errorf(symbolon.Invalid, opEnd, "the account of the session is not named")
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

// endSessions ends sessions, those for which a condition on a name is true, and what came
// of them and is not to outlive them. It locks their accounts first, as endPair does, so that no connection
// of them is born between the statements.
func (tx *transaction) endSessions(which string, name any, account symbolon.AccountID, reason symbolon.Reason, now int64) (int64, error) {
	rows, err := tx.Tx.Query(tx.ctx, `
		SELECT no FROM account
		WHERE no IN (SELECT account_no FROM session WHERE `+which+`) AND ($2 = '' OR id = $2)
		ORDER BY no FOR UPDATE`, name, string(account))
	accounts, err := collect(rows, err, pgx.RowTo[int64])
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	rows, err = tx.Tx.Query(tx.ctx, `SELECT id FROM session WHERE `+which+` AND account_no = ANY ($2) AND id IS NOT NULL`, name, accounts)
	sessions, err := collect(rows, err, pgx.RowTo[[16]byte])
	if err != nil {
		return 0, err
	}
	if len(sessions) > 0 {
		if err := tx.tellSessions(sessions, now); err != nil {
			return 0, err
		}
		err := tx.endThose(`connection.session = ANY ($1) AND position(' offline_access ' in ' ' || connection.scope || ' ') = 0`, []any{sessions}, reason, now)
		if err != nil {
			return 0, err
		}
	}
	return tx.exec(`DELETE FROM session WHERE `+which+` AND account_no = ANY ($2)`, name, accounts)
}

// endThose ends the live connections for which a condition on the arguments is true, and
// says so in Changes.
func (tx *transaction) endThose(which string, args []any, reason symbolon.Reason, now int64) error {
	rows, err := tx.Tx.Query(tx.ctx, `
		SELECT connection.id, account.id, app.id, app.events
		FROM connection
			JOIN account ON account.no = connection.account_no
			JOIN app ON app.no = connection.app_no
		WHERE `+which+` AND connection.ended_at IS NULL
		ORDER BY connection.id FOR UPDATE OF connection`, args...)
	var ids [][16]byte
	var events []symbolon.EventMask
	list, err := collect(rows, err, func(row pgx.CollectableRow) (c change, err error) {
		var mask int64
		err = row.Scan((*[16]byte)(&c.connection), (*string)(&c.account), (*string)(&c.client), &mask)
		events = append(events, symbolon.EventMask(mask))
		c.kind, c.at = symbolon.ConnectionEnded, now
		return c, err
	})
	if err != nil || len(list) == 0 {
		return err
	}
	for i, c := range list {
		ids = append(ids, c.connection)
		tx.change(c)
		tx.event(c.client, c.account, c.connection, events[i], reason, now, symbolon.EndEvents(reason)...)
	}
	_, err = tx.exec(`UPDATE connection SET ended_at = $2, ended_by = nullif($3, '') WHERE id = ANY ($1)`, ids, now, string(reason))
	return err
}

// tellSessions has the apps of some sessions be told that these are over. Their
// accounts are locked.
func (tx *transaction) tellSessions(sessions [][16]byte, now int64) error {
	_, err := tx.exec(`
		INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
		SELECT gen_random_uuid(), $2, app.id, account.id, ended.session, '', $3::bigint, $3::bigint, $3::bigint + $4::bigint, 0
		FROM (SELECT DISTINCT session, account_no, app_no FROM connection WHERE session = ANY ($1)) AS ended
			JOIN account ON account.no = ended.account_no
			JOIN app ON app.no = ended.app_no AND app.deleted_at IS NULL`,
		sessions, string(symbolon.TellLogout), now, symbolon.DeliveryLife.Milliseconds())
	return err
}

// leave ends all sessions of an account, whose connections are over in another way.
func (tx *transaction) leave(no, before, now int64) error {
	if err := tx.row(`SELECT no FROM account WHERE no = $1 FOR UPDATE`, []any{no}, &no); err != nil {
		return err
	}
	rows, err := tx.Tx.Query(tx.ctx, `SELECT id FROM session WHERE account_no = $1 AND id IS NOT NULL`, no)
	sessions, err := collect(rows, err, pgx.RowTo[[16]byte])
	if err != nil {
		return err
	}
	if len(sessions) > 0 {
		if err := tx.tellSessions(sessions, now); err != nil {
			return err
		}
	}
	if err := tx.tellLeft(no, before, now); err != nil {
		return err
	}
	_, err = tx.exec(`DELETE FROM session WHERE account_no = $1`, no)
	return err
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
		var events int64
		if err := tx.row(`SELECT events FROM app WHERE id = $1`, []any{string(client)}, &events); err != nil {
			return 0, err
		}
		for _, id := range ids {
			tx.event(client, account, id, symbolon.EventMask(events), reason, now, symbolon.EndEvents(reason)...)
		}
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
	var no, before, last int64
	err := tx.row(`SELECT not_before FROM account WHERE id = $1 AND deleted_at IS NULL FOR UPDATE`, []any{string(id)}, &last)
	if err != nil && !missing(err) {
		return 0, err
	}
	err = tx.returning(`
		UPDATE account SET not_before = greatest(not_before, $2), version = version + 1
		WHERE id = $1 AND deleted_at IS NULL AND ($3 OR not_before < $2)
		RETURNING no, not_before`, []any{string(id), now, remove}, &no, &before)
	if missing(err) {
		return 0, tx.confirm(`SELECT no FROM account WHERE id = $1 FOR UPDATE`, string(id))
	}
	if err != nil {
		return 0, err
	}
	if err := tx.leave(no, last, now); err != nil {
		return 0, err
	}
	statements := []string{`DELETE FROM consent WHERE account_no = $1`}
	if remove {
		statements = append(statements, `
			UPDATE account SET username = NULL, name = '', password = '', profile = '{}', factors = '', deleted_at = not_before, disabled_at = not_before
			WHERE no = $1`, `DELETE FROM identity WHERE account_no = $1`)
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
	var before, events int64
	err := tx.returning(`
		UPDATE app SET not_before = greatest(not_before, $2), version = version + 1
		WHERE id = $1 AND deleted_at IS NULL AND ($3 OR not_before < $2)
		RETURNING not_before, events`, []any{string(id), now, remove}, &before, &events)
	if missing(err) {
		return 0, tx.confirm(`SELECT no FROM app WHERE id = $1 FOR UPDATE`, string(id))
	}
	if err != nil {
		return 0, err
	}
	if !remove {
		tx.event(id, "", symbolon.ConnectionID{}, symbolon.EventMask(events), symbolon.ByMass, now, symbolon.EventEnded)
	}
	statements := []string{`DELETE FROM consent WHERE client = $1`}
	if remove {
		statements = append(statements, `
			UPDATE app SET name = '', home = '', secrets = '[]', redirect_uris = '[]', scope = '', settings = '{}', events = 0, deleted_at = not_before
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
