package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/symbolon/symbolon"
)

// SignIn implements symbolon.Store.
func (db *DB) SignIn(ctx context.Context, session symbolon.Session, previous [32]byte) error {
	const op = "sqlite: sign in"
	return db.write(ctx, op, func(tx *transaction) error {
		return tx.atomically(func() error { return tx.signIn(op, session, previous) })
	})
}

func (tx *transaction) signIn(op string, session symbolon.Session, previous [32]byte) error {
	tx.saw(session.AuthAt)
	var no int64
	err := tx.row(`SELECT no FROM account WHERE id = ? AND disabled_at IS NULL AND not_before < ?`,
		[]any{session.Account, millis(session.AuthAt)}, &no)
	if missing(err) {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not sign in", session.Account)
	}
	if err != nil {
		return err
	}
	if previous != ([32]byte{}) && previous != session.Browser {
		_, err := tx.exec(`UPDATE OR REPLACE session SET browser = ?1 WHERE browser = ?2`, session.Browser[:], previous[:])
		if err != nil {
			return err
		}
	}
	_, err = tx.exec(`
		INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (browser, account_no) DO UPDATE SET auth_at = excluded.auth_at, expires_at = excluded.expires_at,
			id = coalesce(id, excluded.id), acr = excluded.acr`,
		session.Browser[:], no, millis(session.AuthAt), millis(session.ExpiresAt), idOrNone(session.ID), session.ACR)
	return err
}

// idOrNone returns a session's id as it is stored: a session of an older program
// has none.
func idOrNone(id symbolon.SessionID) []byte {
	if id == (symbolon.SessionID{}) {
		return nil
	}
	return id[:]
}

// Sessions implements symbolon.Store.
func (db *DB) Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]symbolon.SignedIn, error) {
	var list []symbolon.SignedIn
	err := db.read(ctx, "sqlite: sessions", func(f *file) error {
		rows, err := f.query(ctx, `
			SELECT `+accountColumns+`, session.auth_at, session.expires_at, session.id, session.acr
			FROM session JOIN account ON account.no = session.account_no
			WHERE session.browser = ? AND session.expires_at > ?
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, account.id`, browser[:], millis(now))
		list, err = collect(rows, err, func(rows *sql.Rows) (s symbolon.SignedIn, err error) {
			var authAt, expiresAt int64
			var id []byte
			var acr string
			err = scanAccount(rows, &s.Account, &authAt, &expiresAt, &id, &acr)
			s.Session = symbolon.Session{
				Browser: browser, Account: s.Account.ID, AuthAt: moment(authAt), ExpiresAt: moment(expiresAt), ACR: acr,
			}
			copy(s.Session.ID[:], id)
			return s, err
		})
		return err
	})
	return list, err
}
