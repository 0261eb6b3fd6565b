package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// SignIn implements symbolon.Store.
func (db *DB) SignIn(ctx context.Context, session symbolon.Session, previous [32]byte) error {
	const op = "postgres: sign in"
	db.sweep.saw(session.AuthAt)
	return db.write(ctx, op, func(tx *transaction) error { return tx.signIn(op, session, previous) })
}

// signIn locks the account against those who end its sessions meanwhile.
func (tx *transaction) signIn(op string, session symbolon.Session, previous [32]byte) error {
	var no int64
	err := tx.row(`SELECT no FROM account WHERE id = $1 AND disabled_at IS NULL AND not_before < $2 FOR SHARE`,
		[]any{string(session.Account), millis(session.AuthAt)}, &no)
	if missing(err) {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not sign in", session.Account)
	}
	if err != nil {
		return err
	}
	if previous != ([32]byte{}) && previous != session.Browser {
		// Deleted and inserted, as the key changes; what the browser had before of
		// the same account gives way.
		_, err := tx.exec(`
			WITH moved AS (DELETE FROM session WHERE browser = $2 RETURNING account_no, auth_at, expires_at, id, acr)
			INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr)
			SELECT $1, account_no, auth_at, expires_at, id, acr FROM moved ORDER BY account_no
			ON CONFLICT (browser, account_no) DO UPDATE
			SET auth_at = excluded.auth_at, expires_at = excluded.expires_at, id = excluded.id, acr = excluded.acr`,
			session.Browser[:], previous[:])
		if err != nil {
			return err
		}
	}
	_, err = tx.exec(`
		INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (browser, account_no) DO UPDATE SET auth_at = excluded.auth_at, expires_at = excluded.expires_at,
			id = coalesce(session.id, excluded.id), acr = excluded.acr`,
		session.Browser[:], no, millis(session.AuthAt), millis(session.ExpiresAt), idOrNone(session.ID), session.ACR)
	return err
}

// idOrNone returns a session's id as it is stored: a session of an older program
// has none.
func idOrNone(id symbolon.SessionID) *[16]byte {
	if id == (symbolon.SessionID{}) {
		return nil
	}
	return (*[16]byte)(&id)
}

// Sessions implements symbolon.Store.
func (db *DB) Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]symbolon.SignedIn, error) {
	var list []symbolon.SignedIn
	err := db.read(ctx, "postgres: sessions", func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, `
			SELECT `+accountColumns+`, session.auth_at, session.expires_at, session.id, session.acr
			FROM session JOIN account ON account.no = session.account_no
			WHERE session.browser = $1 AND session.expires_at > $2
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, account.id`, browser[:], millis(now))
		list, err = collect(rows, err, func(row pgx.CollectableRow) (s symbolon.SignedIn, err error) {
			var authAt, expiresAt int64
			var id *[16]byte
			var acr string
			err = scanAccount(row, &s.Account, &authAt, &expiresAt, &id, &acr)
			s.Session = symbolon.Session{
				Browser: browser, Account: s.Account.ID, AuthAt: moment(authAt), ExpiresAt: moment(expiresAt), ACR: acr,
			}
			if id != nil {
				s.Session.ID = *id
			}
			return s, err
		})
		return err
	})
	return list, err
}
