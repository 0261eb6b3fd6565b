package postgres

import (
	"context"
	"net/netip"
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
			WITH moved AS (DELETE FROM session WHERE browser = $2 RETURNING account_no, auth_at, expires_at, id, acr, agent, address)
			INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr, agent, address)
			SELECT $1, account_no, auth_at, expires_at, id, acr, agent, address FROM moved ORDER BY account_no
			ON CONFLICT (browser, account_no) DO UPDATE
			SET auth_at = excluded.auth_at, expires_at = excluded.expires_at, id = excluded.id, acr = excluded.acr,
				agent = excluded.agent, address = excluded.address`,
			session.Browser[:], previous[:])
		if err != nil {
			return err
		}
	}
	_, err = tx.exec(`
		INSERT INTO session (browser, account_no, auth_at, expires_at, id, acr, agent, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (browser, account_no) DO UPDATE SET auth_at = excluded.auth_at, expires_at = excluded.expires_at,
			id = coalesce(session.id, excluded.id), acr = excluded.acr,
			agent = excluded.agent, address = excluded.address`,
		session.Browser[:], no, millis(session.AuthAt), millis(session.ExpiresAt), idOrNone(session.ID), session.ACR,
		session.Agent, address16(session.From))
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
			SELECT `+accountColumns+`, `+sessionColumns+`
			FROM session JOIN account ON account.no = session.account_no
			WHERE session.browser = $1 AND session.expires_at > $2
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, account.id`, browser[:], millis(now))
		list, err = collect(rows, err, func(row pgx.CollectableRow) (s symbolon.SignedIn, err error) {
			var r sessionRow
			err = scanAccount(row, &s.Account, r.into()...)
			s.Session = r.session(browser, s.Account.ID)
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
	id, address       *[16]byte
	acr, agent        string
}

func (r *sessionRow) into() []any {
	return []any{&r.authAt, &r.expiresAt, &r.id, &r.acr, &r.agent, &r.address}
}

func (r *sessionRow) session(browser [32]byte, account symbolon.AccountID) symbolon.Session {
	s := symbolon.Session{
		Browser: browser, Account: account, AuthAt: moment(r.authAt), ExpiresAt: moment(r.expiresAt), ACR: r.acr,
		Agent: r.agent, From: addressOf(r.address),
	}
	if r.id != nil {
		s.ID = *r.id
	}
	return s
}

// AccountSessions implements symbolon.Store.
func (db *DB) AccountSessions(ctx context.Context, account symbolon.AccountID, now time.Time) ([]symbolon.Session, error) {
	var list []symbolon.Session
	err := db.read(ctx, "postgres: sessions of an account", func(ctx context.Context, c *pgxpool.Conn) error {
		rows, err := c.Query(ctx, `
			SELECT session.browser, `+sessionColumns+`
			FROM account JOIN session ON session.account_no = account.no
			WHERE account.id = $1 AND session.expires_at > $2
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, session.browser`, string(account), millis(now))
		list, err = collect(rows, err, func(row pgx.CollectableRow) (symbolon.Session, error) {
			var r sessionRow
			var browser []byte
			if err := row.Scan(append([]any{&browser}, r.into()...)...); err != nil {
				return symbolon.Session{}, err
			}
			if len(browser) != 32 {
				return symbolon.Session{}, errDamaged
			}
			return r.session([32]byte(browser), account), nil
		})
		return err
	})
	return list, err
}

// address16 returns an address as it is stored.
func address16(a netip.Addr) [16]byte { return [16]byte(symbolon.AppendAddress(nil, a)) }

// addressOf reads what address16 returned, or nothing.
func addressOf(b *[16]byte) netip.Addr {
	if b == nil {
		return netip.Addr{}
	}
	return symbolon.AddressOf(b[:])
}
