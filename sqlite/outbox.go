package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Outbox = (*DB)(nil)

// deliveryLife is symbolon.DeliveryLife in milliseconds, as SQL has it.
var deliveryLife = strconv.FormatInt(symbolon.DeliveryLife.Milliseconds(), 10)

const opOutbox = "sqlite: outbox"

// Claim implements symbolon.Outbox. It looks first, and writes only what it found:
// a server that has nothing to tell is at rest.
func (db *DB) Claim(ctx context.Context, c symbolon.Claim) (symbolon.Claimed, error) {
	if err := c.Check(opOutbox); err != nil {
		return symbolon.Claimed{}, err
	}
	except, err := json.Marshal(append([]symbolon.ClientID{}, c.Except...))
	if err != nil {
		return symbolon.Claimed{}, symbolon.Wrap(symbolon.Internal, opOutbox, err)
	}
	var due []symbolon.Delivery
	err = db.read(ctx, opOutbox, func(f *file) error {
		rows, err := f.query(ctx, `
			SELECT id, kind, client, account, session, body, made_at, expires_at, attempts FROM delivery
			WHERE due_at <= ?1 AND (expires_at <= ?1 OR client NOT IN (SELECT value FROM json_each(?2)))
			ORDER BY due_at LIMIT ?3`, millis(c.Now), string(except), symbolon.ClaimRead)
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
	err = db.write(ctx, opOutbox, func(tx *transaction) error {
		return tx.atomically(func() (err error) {
			claimed = symbolon.Claimed{}
			for _, d := range picked.Over {
				n, err := tx.exec(`DELETE FROM delivery WHERE id = ? AND attempts = ? AND due_at <= ?`, d.ID[:], d.Attempts, millis(c.Now))
				if err != nil {
					return err
				}
				if n > 0 {
					claimed.Over = append(claimed.Over, d)
				}
			}
			for _, d := range picked.Due {
				n, err := tx.exec(`UPDATE delivery SET due_at = ?, attempts = attempts + 1 WHERE id = ? AND attempts = ? AND due_at <= ?`,
					millis(c.Now.Add(c.Lease)), d.ID[:], d.Attempts, millis(c.Now))
				if err != nil {
					return err
				}
				if n > 0 {
					d.Attempts++
					claimed.Due = append(claimed.Due, d)
				}
			}
			return nil
		})
	})
	if err != nil {
		return symbolon.Claimed{}, err
	}
	return claimed, nil
}

func scanDelivery(rows *sql.Rows) (symbolon.Delivery, error) {
	var d symbolon.Delivery
	var id, session []byte
	var madeAt, expiresAt int64
	err := rows.Scan(&id, &d.Kind, &d.Client, &d.Account, &session, &d.Body, &madeAt, &expiresAt, &d.Attempts)
	if err == nil && copy(d.ID[:], id) != len(d.ID) {
		err = errDamaged
	}
	copy(d.Session[:], session)
	d.MadeAt, d.ExpiresAt = moment(madeAt), moment(expiresAt)
	return d, err
}

// Told implements symbolon.Outbox.
func (db *DB) Told(ctx context.Context, d symbolon.Delivery, retryAt time.Time) error {
	return db.write(ctx, opOutbox, func(tx *transaction) error {
		if retryAt.IsZero() {
			_, err := tx.exec(`DELETE FROM delivery WHERE id = ? AND attempts = ?`, d.ID[:], d.Attempts)
			return err
		}
		_, err := tx.exec(`UPDATE delivery SET due_at = min(?, expires_at) WHERE id = ? AND attempts = ?`, millis(retryAt), d.ID[:], d.Attempts)
		return err
	})
}
