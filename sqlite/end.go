package sqlite

import (
	"context"
	"strconv"

	"github.com/symbolon/symbolon"
)

// End implements symbolon.Store. For a pair it counts the connections, or the
// consent when there was no connection.
func (db *DB) End(ctx context.Context, e symbolon.End) (int, error) {
	const op = "sqlite: end"
	var end func(tx *transaction) (int64, error)
	switch now := millis(e.Now); {
	case e.Connection != symbolon.ConnectionID{}:
		end = func(tx *transaction) (int64, error) {
			n, err := tx.endConnection(e.Connection, e.Reason, now)
			if err != nil || n > 0 || !e.Token {
				return n, err
			}
			return tx.endToken(e.Connection, now)
		}
	case e.Browser != [32]byte{}:
		end = func(tx *transaction) (int64, error) {
			return tx.endSessions(`browser = ?1 AND (?2 = '' OR account_no = (SELECT no FROM account WHERE id = ?2))`, e.Browser[:], e.Account, e.Reason, now)
		}
	case e.Session != symbolon.SessionID{} && e.Account != "":
		end = func(tx *transaction) (int64, error) {
			return tx.endSessions(`id = ?1 AND account_no = (SELECT no FROM account WHERE id = ?2)`, e.Session[:], e.Account, e.Reason, now)
		}
	case e.Session != symbolon.SessionID{}:
		return 0, symbolon.Errorf(symbolon.Invalid, op, "the account of the session is not named")
	case e.Account != "" && e.Client != "":
		end = func(tx *transaction) (int64, error) { return tx.endPair(e.Account, e.Client, e.Reason, now) }
	case e.Account != "":
		end = func(tx *transaction) (int64, error) { return tx.endAccount(e.Account, e.Delete, now) }
	case e.Client != "":
		end = func(tx *transaction) (int64, error) { return tx.endApp(e.Client, e.Delete, now) }
	default:
		return 0, symbolon.Errorf(symbolon.Invalid, op, "nothing is named")
	}
	var n int64
	err := db.write(ctx, op, func(tx *transaction) error {
		tx.saw(e.Now)
		return tx.atomically(func() (err error) {
			n, err = end(tx)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// endConnection ends a connection that lives and says so in Changes. Replays
// end connections too, so it is atomic by itself.
func (tx *transaction) endConnection(id symbolon.ConnectionID, reason symbolon.Reason, now int64) (n int64, err error) {
	err = tx.atomically(func() error {
		var events int64
		err := tx.returning(`
			UPDATE connection SET ended_at = ?2, ended_by = ?3 WHERE id = ?1 AND ended_at IS NULL
			RETURNING coalesce((SELECT events FROM app WHERE no = app_no), 0)`, []any{id[:], now, reason}, &events)
		if missing(err) {
			n = 0
			return nil
		}
		if n = 1; err == nil && events != 0 {
			err = tx.tellOf(`connection.id = ?1`, []any{id[:]}, reason, now, symbolon.EndEvents(reason)...)
		}
		if err != nil {
			return err
		}
		return tx.changeEnded(id, now)
	})
	return n, err
}

// endToken says in Changes that a token without a connection is over, unless the
// connection is there, ended before.
func (tx *transaction) endToken(id symbolon.ConnectionID, now int64) (int64, error) {
	return tx.exec(`
		INSERT INTO change (kind, connection, at)
		SELECT ?2, ?1, ?3 WHERE NOT EXISTS (SELECT 1 FROM connection WHERE id = ?1)`, id[:], symbolon.ConnectionEnded, now)
}

// endSessions ends sessions, and what came of them and is not to outlive them. Which
// is a condition on two arguments: what names them, and the account.
func (tx *transaction) endSessions(which string, name []byte, account symbolon.AccountID, reason symbolon.Reason, now int64) (int64, error) {
	args := []any{name, account}
	if err := tx.tellSessions(which, append(args, now)); err != nil {
		return 0, err
	}
	err := tx.endThose(`connection.session IN (SELECT id FROM session WHERE `+which+`) AND `+notOffline, args, reason, now)
	if err != nil {
		return 0, err
	}
	return tx.exec(`DELETE FROM session WHERE `+which, args...)
}

// endThose ends the connections for which a condition on the arguments is true, and
// says so in Changes.
func (tx *transaction) endThose(which string, args []any, reason symbolon.Reason, now int64) error {
	at, why := `?`+strconv.Itoa(len(args)+1), `?`+strconv.Itoa(len(args)+2)
	args = append(append([]any{}, args...), now, reason)
	// The changes first: afterwards what is ended now looks as what was before.
	n, err := tx.exec(`
		INSERT INTO change (kind, connection, account, client, at)
		SELECT `+strconv.Itoa(int(symbolon.ConnectionEnded))+`, connection.id, account.id, app.id, `+at+`
		FROM connection
			JOIN account ON account.no = connection.account_no
			JOIN app ON app.no = connection.app_no
		WHERE `+which, args[:len(args)-1]...)
	if err != nil || n == 0 {
		return err
	}
	if err := tx.tellOf(which, args[:len(args)-2], reason, now, symbolon.EndEvents(reason)...); err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE connection SET ended_at = `+at+`, ended_by = `+why+` WHERE `+which, args...)
	return err
}

// notOffline is true of a connection that lives and is not to outlive its session.
const notOffline = `connection.ended_at IS NULL AND instr(' ' || connection.scope || ' ', ' offline_access ') = 0`

// tellSessions has the apps of some sessions be told that these are over, which is
// written before they go. Which sessions is a condition on the first arguments; the
// third is now.
func (tx *transaction) tellSessions(which string, args []any) error {
	_, err := tx.exec(`
		INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
		SELECT randomblob(16), '`+string(symbolon.TellLogout)+`', app.id, account.id, ended.session, x'', ?3, ?3, ?3 + `+deliveryLife+`, 0
		FROM (SELECT DISTINCT session, account_no, app_no FROM connection WHERE session IN (SELECT id FROM session WHERE `+which+`)) AS ended
			JOIN account ON account.no = ended.account_no
			JOIN app ON app.no = ended.app_no AND app.deleted_at IS NULL`, args[:3]...)
	return err
}

func (tx *transaction) endPair(account symbolon.AccountID, client symbolon.ClientID, reason symbolon.Reason, now int64) (int64, error) {
	err := tx.tellOf(`connection.account_no = (SELECT no FROM account WHERE id = ?1)
			AND +connection.app_no = (SELECT no FROM app WHERE id = ?2) AND connection.ended_at IS NULL`,
		[]any{account, client}, reason, now, symbolon.EndEvents(reason)...)
	if err != nil {
		return 0, err
	}
	n, err := tx.exec(`
		UPDATE connection SET ended_at = ?4, ended_by = ?3
		WHERE account_no = (SELECT no FROM account WHERE id = ?1)
			AND app_no = (SELECT no FROM app WHERE id = ?2) AND ended_at IS NULL`, account, client, reason, now)
	if err != nil {
		return 0, err
	}
	forgotten, err := tx.exec(`
		DELETE FROM consent WHERE account_no = (SELECT no FROM account WHERE id = ?1) AND client = ?2`, account, client)
	if n = max(n, forgotten); err != nil || n == 0 {
		return 0, err
	}
	// One that was made by a clock that is ahead was born after now, and is over, too.
	var newest []byte
	err = tx.row(`
		SELECT id FROM connection
		WHERE account_no = (SELECT no FROM account WHERE id = ?1) AND app_no = (SELECT no FROM app WHERE id = ?2) AND ended_at = ?3
		ORDER BY id DESC LIMIT 1`, []any{account, client, now}, &newest)
	if err != nil && !missing(err) {
		return 0, err
	}
	var id symbolon.ConnectionID
	copy(id[:], newest)
	return n, tx.change(change{kind: symbolon.PairEnded, account: account, client: client, before: max(now, millis(id.Time())), at: now})
}

func (tx *transaction) endAccount(id symbolon.AccountID, remove bool, now int64) (int64, error) {
	var no, before, last int64
	err := tx.row(`SELECT not_before FROM account WHERE id = ? AND deleted_at IS NULL`, []any{id}, &last)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = tx.returning(`
		UPDATE account SET not_before = max(not_before, ?2), version = version + 1
		WHERE id = ?1 AND deleted_at IS NULL AND (?3 OR not_before < ?2)
		RETURNING no, not_before`, []any{id, now, remove}, &no, &before)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := tx.leave(no, last, now); err != nil {
		return 0, err
	}
	statements := []string{`DELETE FROM consent WHERE account_no = ?1`}
	if remove {
		statements = append(statements, `
			UPDATE account SET username = NULL, name = '', password = '', profile = '{}', factors = '', deleted_at = not_before, disabled_at = not_before
			WHERE no = ?1`, `DELETE FROM identity WHERE account_no = ?1`)
	}
	for _, statement := range statements {
		if _, err := tx.exec(statement, no); err != nil {
			return 0, err
		}
	}
	return 1, tx.change(change{kind: symbolon.AccountEnded, account: id, before: before, at: now})
}

// leave ends all sessions of an account, whose connections are over in another way.
func (tx *transaction) leave(no, before, now int64) error {
	if err := tx.tellSessions(`account_no = ?1`, []any{no, 0, now}); err != nil {
		return err
	}
	if err := tx.tellLeft(no, before, now); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM session WHERE account_no = ?`, no)
	return err
}

func (tx *transaction) endApp(id symbolon.ClientID, remove bool, now int64) (int64, error) {
	var before int64
	err := tx.returning(`
		UPDATE app SET not_before = max(not_before, ?2), version = version + 1
		WHERE id = ?1 AND deleted_at IS NULL AND (?3 OR not_before < ?2)
		RETURNING not_before`, []any{id, now, remove}, &before)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !remove {
		if err := tx.tellAll(id, now); err != nil {
			return 0, err
		}
	}
	statements := []string{`DELETE FROM consent WHERE client = ?1`}
	if remove {
		statements = append(statements, `
			UPDATE app SET name = '', home = '', secrets = '[]', redirect_uris = '[]', scope = '', settings = '{}', events = 0, deleted_at = not_before
			WHERE id = ?1`)
	}
	for _, statement := range statements {
		if _, err := tx.exec(statement, id); err != nil {
			return 0, err
		}
	}
	if err := tx.change(change{kind: symbolon.AppEnded, client: id, before: before, at: now}); err != nil {
		return 0, err
	}
	return 1, tx.change(change{kind: symbolon.AppChanged, client: id, at: now})
}
