package postgres

import (
	"context"

	"github.com/symbolon/symbolon"
)

// event leaves it to be told to the webhook of an app that something happened, where
// the app is told of it.
func (tx *transaction) event(client symbolon.ClientID, account symbolon.AccountID, id symbolon.ConnectionID, events symbolon.EventMask, why symbolon.Reason, now int64, kinds ...symbolon.EventKind) {
	for _, kind := range kinds {
		if events&kind.Bit() != 0 {
			event := symbolon.Event{Type: kind, Connection: id, Why: string(why)}
			tx.events = append(tx.events, symbolon.NewEvent(client, account, event, moment(now)))
		}
	}
}

// tellEvents writes what was left to be told.
func (tx *transaction) tellEvents() error {
	if len(tx.events) == 0 {
		return nil
	}
	n := len(tx.events)
	ids, clients, accounts := make([][16]byte, n), make([]string, n), make([]string, n)
	bodies, made, expires := make([][]byte, n), make([]int64, n), make([]int64, n)
	for i, d := range tx.events {
		ids[i], clients[i], accounts[i] = d.ID, string(d.Client), string(d.Account)
		bodies[i], made[i], expires[i] = d.Body, millis(d.MadeAt), millis(d.ExpiresAt)
	}
	_, err := tx.exec(`
		INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
		SELECT u.id, $1, u.client, u.account, NULL, u.body, u.made_at, u.made_at, u.expires_at, 0
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[])
			AS u (id, client, account, body, made_at, expires_at)`,
		string(symbolon.TellEvent), ids, clients, accounts, bodies, made, expires)
	return err
}

// tellLeft leaves it to be told to the webhook of each app that all that an account had
// to it is over: what lived at now and was made after before.
func (tx *transaction) tellLeft(account, before, now int64) error {
	rows, err := tx.Tx.Query(tx.ctx, `
		SELECT app.id, account.id, app.events
		FROM (
			SELECT DISTINCT app_no FROM connection
			WHERE account_no = $1 AND ended_at IS NULL AND created_at > $2 AND expires_at > $3) AS theirs
			JOIN account ON account.no = $1
			JOIN app ON app.no = theirs.app_no AND app.deleted_at IS NULL AND app.events <> 0`, account, before, now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var client, id string
		var events int64
		if err := rows.Scan(&client, &id, &events); err != nil {
			return err
		}
		tx.event(symbolon.ClientID(client), symbolon.AccountID(id), symbolon.ConnectionID{}, symbolon.EventMask(events), symbolon.ByMass, now, symbolon.EventEnded)
	}
	return rows.Err()
}

// Tell implements symbolon.Outbox.
func (db *DB) Tell(ctx context.Context, d symbolon.Delivery) error {
	if err := d.Check(opOutbox); err != nil {
		return err
	}
	return db.write(ctx, opOutbox, func(tx *transaction) error {
		_, err := tx.exec(`
			INSERT INTO delivery (id, kind, client, account, session, body, made_at, due_at, expires_at, attempts)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, 0)
			ON CONFLICT (id) DO NOTHING`,
			[16]byte(d.ID), string(d.Kind), string(d.Client), string(d.Account), idOrNone(d.Session), append([]byte{}, d.Body...), millis(d.MadeAt), millis(d.ExpiresAt))
		return err
	})
}

// Label implements symbolon.Store.
func (db *DB) Label(ctx context.Context, id symbolon.ConnectionID, account symbolon.AccountID, label string) error {
	const op = "postgres: label"
	if err := symbolon.CheckLabel(op, label); err != nil {
		return err
	}
	return db.write(ctx, op, func(tx *transaction) error {
		n, err := tx.exec(`UPDATE connection SET label = $3 WHERE id = $1 AND account_no = (SELECT no FROM account WHERE id = $2)`,
			[16]byte(id), string(account), label)
		if err == nil && n == 0 {
			return symbolon.Errorf(symbolon.NotFound, op, "account %s has no connection %s", account, id)
		}
		return err
	})
}
