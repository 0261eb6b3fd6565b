package postgres

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

const opOnce = "postgres: once"

// use is what came of a Once.
type use struct {
	value []byte
	first bool
}

// Once implements symbolon.Store.
func (db *DB) Once(ctx context.Context, o symbolon.Once) (value []byte, first bool, err error) {
	if o.Look {
		err = db.read(ctx, opOnce, func(ctx context.Context, c *pgxpool.Conn) error {
			err := c.QueryRow(ctx, `SELECT value FROM once WHERE key = $1 AND expires_at > $2`, o.Key[:], millis(o.Now)).Scan(&value)
			if first = missing(err); first {
				value = nil
				return nil
			}
			return err
		})
		return value, first && err == nil, err
	}
	if err := o.Check(opOnce); err != nil {
		return nil, false, err
	}
	db.sweep.saw(o.Now)
	u, err := ask(ctx, db.uses, opOnce, o)
	return u.value, u.first, err
}

type onceRequest = request[symbolon.Once, use]

// record is what the table says of a key.
type record struct {
	key       [32]byte
	value     []byte
	expiresAt int64
}

// useAll records what was not used before, the first of each key, and tells the
// others what is there. Whoever finds nothing, or what is over for him, gets
// another round.
func (db *DB) useAll(ctx context.Context, c *pgxpool.Conn, batch []*onceRequest) error {
	for range rounds {
		rest := pending(batch)
		if len(rest) == 0 {
			break
		}
		there, err := useFirsts(ctx, c, rest)
		if err != nil {
			return err
		}
		db.sweep.bore(len(there))
		rest = pending(rest)
		if there, err = readUsed(ctx, c, rest, there); err != nil {
			return err
		}
		for _, r := range rest {
			if known, found := there[r.ask.Key]; found && known.expiresAt > millis(r.ask.Now) {
				r.done, r.out = true, use{value: bytes.Clone(known.value)}
			}
		}
	}
	return nil
}

// useFirsts makes the records, marks their requests as done and returns them.
func useFirsts(ctx context.Context, c *pgxpool.Conn, rest []*onceRequest) (map[[32]byte]record, error) {
	firsts := make(map[[32]byte]*onceRequest, len(rest))
	var list []*onceRequest
	for _, r := range rest {
		if firsts[r.ask.Key] == nil {
			firsts[r.ask.Key] = r
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *onceRequest) int { return bytes.Compare(a.ask.Key[:], b.ask.Key[:]) })
	keys, values := make([][]byte, len(list)), make([][]byte, len(list))
	made, expires := make([]int64, len(list)), make([]int64, len(list))
	for i, r := range list {
		keys[i], values[i] = r.ask.Key[:], append([]byte{}, r.ask.Value...)
		made[i], expires[i] = millis(r.ask.Now), millis(r.ask.ExpiresAt)
	}
	rows, err := c.Query(ctx, `
		INSERT INTO once (key, value, made_at, expires_at)
		SELECT u.key, u.value, u.made_at, u.expires_at
		FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[]) AS u (key, value, made_at, expires_at)
		ORDER BY u.key
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, made_at = excluded.made_at, expires_at = excluded.expires_at
		WHERE once.expires_at <= excluded.made_at
		RETURNING key`, keys, values, made, expires)
	recorded, err := collect(rows, err, pgx.RowTo[[]byte])
	if err = committed(c, err); err != nil {
		return nil, err
	}
	there := make(map[[32]byte]record, len(recorded))
	for _, key := range recorded {
		r := firsts[[32]byte(key)]
		r.done, r.out = true, use{value: bytes.Clone(r.ask.Value), first: true}
		there[r.ask.Key] = record{r.ask.Key, r.ask.Value, millis(r.ask.ExpiresAt)}
	}
	return there, nil
}

// readUsed adds the records that others have made.
func readUsed(ctx context.Context, c *pgxpool.Conn, rest []*onceRequest, there map[[32]byte]record) (map[[32]byte]record, error) {
	var keys [][]byte
	for _, r := range rest {
		if _, found := there[r.ask.Key]; !found {
			keys = append(keys, r.ask.Key[:])
		}
	}
	if len(keys) == 0 {
		return there, nil
	}
	rows, err := c.Query(ctx, `SELECT key, value, expires_at FROM once WHERE key = ANY ($1)`, keys)
	list, err := collect(rows, err, func(row pgx.CollectableRow) (r record, err error) {
		var key []byte
		err = row.Scan(&key, &r.value, &r.expiresAt)
		if copy(r.key[:], key) != len(r.key) && err == nil {
			err = errDamaged
		}
		return r, err
	})
	for _, r := range list {
		there[r.key] = r
	}
	return there, err
}
