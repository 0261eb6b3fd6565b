package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Outbox = (*DB)(nil)

const opOutbox = "postgres: outbox"

// Claim implements symbolon.Outbox. It looks first, and writes only what it found.
// Of two nodes that find the same, the second to write finds that the first has it.
func (db *DB) Claim(ctx context.Context, c symbolon.Claim) (symbolon.Claimed, error) {
	if err := c.Check(opOutbox); err != nil {
		return symbolon.Claimed{}, err
	}
	except := make([]string, len(c.Except))
	for i, id := range c.Except {
		except[i] = string(id)
	}
	var due []symbolon.Delivery
	err := db.read(ctx, opOutbox, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, `
			SELECT id, kind, client, account, session, body, made_at, expires_at, attempts FROM delivery
			WHERE due_at <= $1 AND (expires_at <= $1 OR client <> ALL ($2))
			ORDER BY due_at LIMIT $3`, millis(c.Now), except, symbolon.ClaimRead)
		due, err = collect(rows, err, scanDelivery)
		return err
	})
	if err != nil {
		return symbolon.Claimed{}, err
	}
	picked := c.Pick(due)
	if len(picked.Due)+len(picked.Over) == 0 {
		return picked, nil
	}
	var claimed symbolon.Claimed
	err = db.write(ctx, opOutbox, func(tx *transaction) (err error) {
		claimed.Over, err = tx.mine(picked.Over, `
			DELETE FROM delivery USING unnest($1::uuid[], $2::bigint[]) AS u (id, attempts)
			WHERE delivery.id = u.id AND delivery.attempts = u.attempts AND delivery.due_at <= $3
			RETURNING delivery.id`, millis(c.Now))
		if err != nil {
			return err
		}
		claimed.Due, err = tx.mine(picked.Due, `
			UPDATE delivery SET due_at = $4, attempts = delivery.attempts + 1
			FROM unnest($1::uuid[], $2::bigint[]) AS u (id, attempts)
			WHERE delivery.id = u.id AND delivery.attempts = u.attempts AND delivery.due_at <= $3
			RETURNING delivery.id`, millis(c.Now), millis(c.Now.Add(c.Lease)))
		return err
	})
	if err != nil {
		return symbolon.Claimed{}, err
	}
	for i := range claimed.Due {
		claimed.Due[i].Attempts++
	}
	return claimed, nil
}

// mine changes deliveries by a statement, and returns those that it found as they
// were.
func (tx *transaction) mine(list []symbolon.Delivery, query string, args ...any) ([]symbolon.Delivery, error) {
	if len(list) == 0 {
		return nil, nil
	}
	byID := make(map[symbolon.DeliveryID]symbolon.Delivery, len(list))
	ids, attempts := make([][16]byte, len(list)), make([]int64, len(list))
	for i, d := range list {
		ids[i], attempts[i], byID[d.ID] = d.ID, int64(d.Attempts), d
	}
	rows, err := tx.Tx.Query(tx.ctx, query, append([]any{ids, attempts}, args...)...)
	found, err := collect(rows, err, pgx.RowTo[[16]byte])
	if err != nil {
		return nil, err
	}
	var mine []symbolon.Delivery
	for _, id := range found {
		tx.wrote = true
		mine = append(mine, byID[id])
	}
	return mine, nil
}

func scanDelivery(row pgx.CollectableRow) (symbolon.Delivery, error) {
	var d symbolon.Delivery
	var session *[16]byte
	var madeAt, expiresAt, attempts int64
	err := row.Scan((*[16]byte)(&d.ID), (*string)(&d.Kind), (*string)(&d.Client), (*string)(&d.Account), &session, &d.Body, &madeAt, &expiresAt, &attempts)
	if session != nil {
		d.Session = *session
	}
	d.MadeAt, d.ExpiresAt, d.Attempts = moment(madeAt), moment(expiresAt), int(attempts)
	return d, err
}

// Told implements symbolon.Outbox.
func (db *DB) Told(ctx context.Context, d symbolon.Delivery, retryAt time.Time) error {
	return db.write(ctx, opOutbox, func(tx *transaction) error {
		if retryAt.IsZero() {
			_, err := tx.exec(`DELETE FROM delivery WHERE id = $1 AND attempts = $2`, [16]byte(d.ID), int64(d.Attempts))
			return err
		}
		_, err := tx.exec(`UPDATE delivery SET due_at = least($3, expires_at) WHERE id = $1 AND attempts = $2`, [16]byte(d.ID), int64(d.Attempts), millis(retryAt))
		return err
	})
}
