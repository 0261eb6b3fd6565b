package sqlite

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// eventRow begins the statement that writes deliveries of events: what follows are the
// connection's id in hex, the reason, and the tables with one named kind, of which type
// is an event kind.
func eventRow(account, connection, why, now string) string {
	return `
		INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
		SELECT randomblob(16), '` + string(symbolon.TellEvent) + `', app.id, ` + account + `, NULL,
			CAST(json_object('type', kind.type, 'connection', ` + connection + `, 'why', ` + why + `) AS BLOB),
			` + now + `, ` + now + `, ` + now + ` + ` + deliveryLife + `, 0`
}

// kinds is a table of event kinds with their bits.
func kinds(list ...symbolon.EventKind) string {
	var rows []string
	for _, k := range list {
		rows = append(rows, `SELECT '`+string(k)+`' AS type, `+strconv.FormatInt(int64(k.Bit()), 10)+` AS bit`)
	}
	return `(` + strings.Join(rows, ` UNION ALL `) + `) AS kind`
}

// tellOf has the webhooks of apps be told something of each connection for which a
// condition on the arguments is true.
func (tx *transaction) tellOf(which string, args []any, why symbolon.Reason, now int64, list ...symbolon.EventKind) error {
	n := len(args)
	_, err := tx.exec(eventRow(`account.id`, `lower(hex(connection.id))`, `?`+strconv.Itoa(n+1), `?`+strconv.Itoa(n+2))+`
		FROM connection
			JOIN account ON account.no = connection.account_no
			JOIN app ON app.no = connection.app_no AND app.deleted_at IS NULL
			JOIN `+kinds(list...)+` ON app.events & kind.bit
		WHERE `+which, append(append([]any{}, args...), string(why), now)...)
	return err
}

// tellLeft has the webhook of each app be told that all that an account had to it is
// over: what lived at now and was made after before.
func (tx *transaction) tellLeft(account, before, now int64) error {
	_, err := tx.exec(eventRow(`account.id`, `''`, `?4`, `?3`)+`
		FROM (
			SELECT DISTINCT app_no FROM connection
			WHERE account_no = ?1 AND ended_at IS NULL AND created_at > ?2 AND expires_at > ?3) AS theirs
			JOIN account ON account.no = ?1
			JOIN app ON app.no = theirs.app_no AND app.deleted_at IS NULL
			JOIN `+kinds(symbolon.EventEnded)+` ON app.events & kind.bit`, account, before, now, string(symbolon.ByMass))
	return err
}

// tellAll has the webhook of an app be told that all of the app's connections are over.
func (tx *transaction) tellAll(id symbolon.ClientID, now int64) error {
	_, err := tx.exec(eventRow(`''`, `''`, `?3`, `?2`)+`
		FROM app JOIN `+kinds(symbolon.EventEnded)+` ON app.events & kind.bit
		WHERE app.id = ?1 AND app.deleted_at IS NULL`, id, now, string(symbolon.ByMass))
	return err
}

// Tell implements symbolon.Outbox.
func (db *DB) Tell(ctx context.Context, d symbolon.Delivery) error {
	if err := d.Check(opOutbox); err != nil {
		return err
	}
	return db.write(ctx, opOutbox, func(tx *transaction) error {
		_, err := tx.exec(`
			INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, 0)
			ON CONFLICT (id) DO NOTHING`,
			d.ID[:], string(d.Kind), d.Client, d.Account, idOrNone(d.Session), append([]byte{}, d.Body...), millis(d.MadeAt), millis(d.ExpiresAt))
		return err
	})
}

// Label implements symbolon.Store.
func (db *DB) Label(ctx context.Context, id symbolon.ConnectionID, account symbolon.AccountID, label string) error {
	const op = "sqlite: label"
	if err := symbolon.CheckLabel(op, label); err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *transaction) error {
		n, err := tx.exec(`UPDATE connection SET label = ?3 WHERE id = ?1 AND account_no = (SELECT no FROM account WHERE id = ?2)`,
			id[:], account, label)
		if err == nil && n == 0 {
			return symbolon.Errorf(symbolon.NotFound, op, "account %s has no connection %s", account, id)
		}
		return err
	})
}

// AccountSessions implements symbolon.Store.
func (db *DB) AccountSessions(ctx context.Context, account symbolon.AccountID, now time.Time) ([]symbolon.Session, error) {
	var list []symbolon.Session
	err := db.read(ctx, "sqlite: sessions of an account", func(f *file) error {
		rows, err := f.query(ctx, `
			SELECT session.browser, account.id, `+sessionColumns+`
			FROM account JOIN session ON session.account_no = account.no
			WHERE account.id = ? AND session.expires_at > ?
				AND account.disabled_at IS NULL AND account.not_before < session.auth_at
			ORDER BY session.auth_at DESC, session.browser`, account, millis(now))
		list, err = collect(rows, err, scanSession)
		return err
	})
	return list, err
}
