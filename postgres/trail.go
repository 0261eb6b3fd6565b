package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Trail = (*DB)(nil)

const opTrail = "postgres: trail"

// trailRows are entries by their columns.
type trailRows struct {
	requestID, client, line, entry []string
	bucket                         []int16
	at, size, keep                 []int64
	latest                         int64
}

func (r *trailRows) add(e *symbolon.TrailEntry, keep int) {
	text, err := e.Encode()
	if err != nil {
		return
	}
	client := string(e.Client)
	if e.Bucket == symbolon.NamedNoApp {
		client = ""
	}
	line, kept := e.Line(keep)
	r.requestID, r.client, r.bucket = append(r.requestID, e.RequestID), append(r.client, client), append(r.bucket, int16(e.Bucket))
	r.line, r.keep = append(r.line, line), append(r.keep, int64(kept))
	r.entry, r.at, r.size = append(r.entry, string(text)), append(r.at, millis(e.At)), append(r.size, int64(len(text)))
	r.latest = max(r.latest, millis(e.At))
}

// Record implements symbolon.Trail. It does not wait for the disk (synchronous_commit),
// where the server knows that setting.
func (db *DB) Record(ctx context.Context, entries []symbolon.TrailEntry, keep int) error {
	var rows trailRows
	for i := range entries {
		rows.add(&entries[i], keep)
	}
	if len(rows.entry) == 0 {
		return nil
	}
	written := int64(0)
	for _, n := range rows.size {
		written += n
	}
	// A node looks at its first write, too: whoever was here before may have left much.
	before := db.unlooked.Add(written) - written
	look := before == 0 || (before+written)/symbolon.TrailCheckEvery > before/symbolon.TrailCheckEvery
	return db.silently(ctx, opTrail, func(tx *transaction) error {
		if _, err := tx.exec(`SELECT set_config(name, 'off', true) FROM pg_settings WHERE name = 'synchronous_commit'`); err != nil {
			return err
		}
		_, err := tx.exec(`
			INSERT INTO trail (request_id, client, bucket, line, at, size, entry)
			SELECT u.request_id, u.client, u.bucket, u.line, u.at, u.size, u.entry
			FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
				WITH ORDINALITY AS u (request_id, client, bucket, line, at, size, entry, no)
			ORDER BY u.no`,
			rows.requestID, rows.client, rows.bucket, rows.line, rows.at, rows.size, rows.entry)
		if err != nil {
			return err
		}
		_, err = tx.exec(`
			DELETE FROM trail USING (SELECT DISTINCT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[]) AS u (client, bucket, line, keep)) AS u
			WHERE trail.client = u.client AND trail.bucket = u.bucket AND trail.line = u.line AND trail.id <= (
				SELECT id FROM trail AS t WHERE t.client = u.client AND t.bucket = u.bucket AND t.line = u.line ORDER BY id DESC LIMIT 1 OFFSET u.keep)`,
			rows.client, rows.bucket, rows.line, rows.keep)
		if err != nil || !look {
			return err
		}
		return tx.trimTrail(rows.latest - symbolon.TrailLife.Milliseconds())
	})
}

// trimTrail removes what is too old, and the oldest of what is too much.
func (tx *transaction) trimTrail(since int64) error {
	if _, err := tx.exec(`DELETE FROM trail WHERE at < $1`, since); err != nil {
		return err
	}
	for bucket, room := range symbolon.TrailBytes {
		_, err := tx.exec(`
			DELETE FROM trail WHERE bucket = $1 AND id <= (
				SELECT max(id) FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS total FROM trail WHERE bucket = $1) AS t WHERE total > $2)`,
			int16(bucket), int64(room))
		if err != nil {
			return err
		}
	}
	return nil
}

// Trail implements symbolon.Trail.
func (db *DB) Trail(ctx context.Context, q symbolon.TrailQuery) ([]symbolon.TrailEntry, error) {
	if err := q.Check(opTrail); err != nil {
		return nil, err
	}
	query, args := `SELECT id, bucket, entry FROM trail WHERE client = $1`, []any{string(q.Client)}
	if q.RequestID != "" {
		query, args = `SELECT id, bucket, entry FROM trail WHERE request_id = $1`, []any{q.RequestID}
	}
	if q.Failed {
		query += ` AND line = ''`
	}
	for _, bound := range []struct {
		sign string
		id   int64
	}{{">", q.After}, {"<", q.Before}} {
		if bound.id > 0 {
			args = append(args, bound.id)
			query += ` AND id ` + bound.sign + ` $` + strconv.Itoa(len(args))
		}
	}
	var list []symbolon.TrailEntry
	err := db.read(ctx, opTrail, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query+` ORDER BY id DESC LIMIT `+strconv.Itoa(q.Limit), args...)
		list, err = collect(rows, err, func(row pgx.CollectableRow) (symbolon.TrailEntry, error) {
			var id int64
			var bucket int16
			var text string
			if err := row.Scan(&id, &bucket, &text); err != nil {
				return symbolon.TrailEntry{}, err
			}
			e, err := symbolon.DecodeTrailEntry([]byte(text))
			e.ID, e.Bucket = id, symbolon.TrailBucket(bucket)
			return e, err
		})
		return err
	})
	return list, err
}
