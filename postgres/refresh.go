package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

const opRefresh = "postgres: refresh"

// maxSeq is more rotations than any connection lives through.
const maxSeq = 1 << 46

// Refresh implements symbolon.Store.
func (db *DB) Refresh(ctx context.Context, r symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	if r.Seq >= maxSeq {
		return symbolon.RefreshOutcome{}, symbolon.Errorf(symbolon.Invalid, opRefresh, "no connection gets as far as sequence number %d", r.Seq)
	}
	return ask(ctx, db.refreshes, opRefresh, r)
}

type refreshRequest = request[symbolon.Refresh, symbolon.RefreshOutcome]

// refreshAll is one statement when every token is the current one, as nearly all
// are. The others are looked at in a second transaction, with their rows locked.
func (db *DB) refreshAll(ctx context.Context, c *pgxpool.Conn, batch []*refreshRequest) error {
	if err := rotateAll(ctx, c, batch); err != nil {
		return err
	}
	rest := pending(batch)
	if len(rest) == 0 {
		return nil
	}
	err := db.transact(ctx, c, func(tx *transaction) error {
		ids := make([]symbolon.ConnectionID, len(rest))
		for i, r := range rest {
			ids[i] = r.ask.ID
		}
		rows, err := tx.lock(ids)
		if err != nil {
			return err
		}
		for _, r := range rest { // one after the other, as if each were alone
			r.out = refreshRow(tx, rows[r.ask.ID], &r.ask)
		}
		return tx.keep(rows)
	})
	if err != nil {
		return err
	}
	settle(rest)
	return nil
}

// settle marks the requests as done.
func settle[Q, O any](list []*request[Q, O]) {
	for _, r := range list {
		r.done = true
	}
}

// rotateAll rotates every connection whose current token is presented, and marks
// those as done. Of several requests for one connection it takes the first.
func rotateAll(ctx context.Context, c *pgxpool.Conn, batch []*refreshRequest) error {
	var list []*refreshRequest
	seen := make(map[symbolon.ConnectionID]bool, len(batch))
	for _, r := range batch {
		if r.ask.Rotation != symbolon.RotateNever && !seen[r.ask.ID] {
			seen[r.ask.ID] = true
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil
	}
	// In the order of the ids, in which the rows are locked then.
	slices.SortFunc(list, func(a, b *refreshRequest) int { return bytes.Compare(a.ask.ID[:], b.ask.ID[:]) })
	ids, seqs := make([][16]byte, len(list)), make([]int64, len(list))
	nows, expires, born := make([]int64, len(list)), make([]int64, len(list)), make([]int64, len(list))
	for i, r := range list {
		ids[i], seqs[i] = r.ask.ID, int64(r.ask.Seq)
		nows[i], expires[i], born[i] = millis(r.ask.Now), millis(r.ask.ExpiresAt), millis(r.ask.ID.Time())
	}
	rows, err := c.Query(ctx, `
		UPDATE connection SET seq = connection.seq + 1, refreshed_at = u.now, expires_at = u.expires_at
		FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
			WITH ORDINALITY AS u (id, seq, now, expires_at, born, n)
		WHERE connection.id = u.id AND connection.seq = u.seq
			AND connection.ended_at IS NULL AND connection.expires_at > u.now
			AND EXISTS (
				SELECT 1 FROM account
				WHERE no = connection.account_no AND disabled_at IS NULL AND not_before < u.born)
			AND EXISTS (
				SELECT 1 FROM app
				WHERE no = connection.app_no AND deleted_at IS NULL AND not_before < u.born)
		RETURNING u.n`, ids, seqs, nows, expires, born)
	rotated, err := collect(rows, err, pgx.RowTo[int64])
	if err = committed(c, err); err != nil {
		return err
	}
	for _, n := range rotated {
		r := list[n-1]
		r.done = true
		r.out = symbolon.RefreshOutcome{
			Result: symbolon.Rotated, Seq: r.ask.Seq + 1, At: moment(nows[n-1]), ExpiresAt: moment(expires[n-1]),
		}
	}
	return nil
}

// refreshRow says how a token stands to its row, which is nil when there is none,
// and changes the row accordingly.
func refreshRow(tx *transaction, row *locked, r *symbolon.Refresh) symbolon.RefreshOutcome {
	now := millis(r.Now)
	answer := func(result symbolon.RefreshResult) symbolon.RefreshOutcome {
		return symbolon.RefreshOutcome{Result: result, Seq: row.seq, At: moment(row.refreshedAt), ExpiresAt: moment(row.expiresAt)}
	}
	switch {
	case row == nil:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}
	case row.ended:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshEnded}
	case row.expiresAt <= now, !row.stands:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}

	case r.Seq == row.seq && r.Rotation == symbolon.RotateNever:
		row.prolong(millis(r.ExpiresAt), now)
		return answer(symbolon.Kept)

	case r.Seq >= row.seq:
		result := symbolon.Rotated // it came up meanwhile, or was second in its batch
		if r.Seq > row.seq {
			result = symbolon.CaughtUp
		}
		row.seq = r.Seq
		if r.Rotation != symbolon.RotateNever {
			row.seq++
		}
		row.refreshedAt, row.expiresAt, row.changed = now, millis(r.ExpiresAt), true
		return answer(result)

	case r.Seq+1 == row.seq && (r.Grace < 0 || now-row.refreshedAt <= r.Grace.Milliseconds()):
		return answer(symbolon.Repeated)

	default:
		row.end(tx, symbolon.ByRefreshReplay, now)
		return symbolon.RefreshOutcome{Result: symbolon.RefreshReplayed}
	}
}

// prolong pushes the expiry of a connection that does not rotate forward, at most
// once a day, or at half of its life where that is short.
func (l *locked) prolong(until, now int64) {
	const day = int64(24 * time.Hour / time.Millisecond)
	if until-l.expiresAt < min(day, (until-now)/2) || until <= l.expiresAt {
		return
	}
	l.expiresAt, l.changed = until, true
}
