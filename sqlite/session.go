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
		INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr, agent, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (browser, account_no) DO UPDATE SET auth_at = excluded.auth_at, expires_at = excluded.expires_at,
			id = coalesce(id, excluded.id), acr = excluded.acr, agent = excluded.agent, address = excluded.address`,
		session.Browser[:], no, millis(session.AuthAt), millis(session.ExpiresAt), idOrNone(session.ID), session.ACR,
		session.Agent, symbolon.AppendAddress(nil, session.From))
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
			SELECT `+accountColumns+`, `+sessionColumns+`
			FROM session JOIN account ON account.no = session.account_no
			WHERE session.browser = ? AND session.expires_at > ?
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, account.id`, browser[:], millis(now))
		list, err = collect(rows, err, func(rows *sql.Rows) (s symbolon.SignedIn, err error) {
			var row sessionRow
			err = scanAccount(rows, &s.Account, row.into()...)
			s.Session = row.session(browser, s.Account.ID)
			return s, err
		})
		return err
	})
	return list, err
}

const sessionColumns = `session.auth_at, session.expires_at, session.id, session.acr, session.agent, session.address`

// sessionRow is what sessionColumns hold.
type sessionRow struct {
	authAt, expiresAt int64
	id, address       []byte
	acr, agent        string
}

func (r *sessionRow) into() []any {
	return []any{&r.authAt, &r.expiresAt, &r.id, &r.acr, &r.agent, &r.address}
}

func (r *sessionRow) session(browser [32]byte, account symbolon.AccountID) symbolon.Session {
	s := symbolon.Session{
		Browser: browser, Account: account, AuthAt: moment(r.authAt), ExpiresAt: moment(r.expiresAt), ACR: r.acr,
		Agent: r.agent, From: symbolon.AddressOf(r.address),
	}
	copy(s.ID[:], r.id)
	return s
}

// scanSession reads the browser, the account and sessionColumns.
func scanSession(rows *sql.Rows) (symbolon.Session, error) {
	var row sessionRow
	var browser []byte
	var account symbolon.AccountID
	if err := rows.Scan(append([]any{&browser, &account}, row.into()...)...); err != nil {
		return symbolon.Session{}, err
	}
	if len(browser) != 32 {
		return symbolon.Session{}, errDamaged
	}
	return row.session([32]byte(browser), account), nil
}
