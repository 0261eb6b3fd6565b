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

// prolongStep is how much later, in milliseconds, the expiry of a connection that does
// not rotate has to be for it to be written.
const prolongStep = int64(24 * time.Hour / time.Millisecond)

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

// refreshAll is one round trip when every token is the current one, as nearly all
// are. The others are looked at in a second transaction, with their rows locked.
func (db *DB) refreshAll(ctx context.Context, c *pgxpool.Conn, batch []*refreshRequest) error {
	if err := spendAll(ctx, c, batch); err != nil {
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

// The statements of spendAll. presented are the tokens, in the order of the ids, in
// which the rows are locked then; current is what a token must be.
const (
	presented = `unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[])
			WITH ORDINALITY AS u (id, seq, now, expires_at, born, used_from, n)`
	current = `connection.id = u.id AND connection.seq = u.seq
			AND connection.ended_at IS NULL AND connection.expires_at > u.now
			AND (SELECT disabled_at IS NULL AND not_before < u.born FROM account WHERE no = connection.account_no)
			AND (SELECT deleted_at IS NULL AND not_before < u.born FROM app WHERE no = connection.app_no)`
	rotate = `
		UPDATE connection SET seq = connection.seq + 1, refreshed_at = u.now, expires_at = u.expires_at, used_from = u.used_from
		FROM ` + presented + `
		WHERE ` + current + `
		RETURNING u.n`
	// As locked.prolong decides.
	prolong = `
		UPDATE connection SET expires_at = u.expires_at, used_from = u.used_from
		FROM ` + presented + `
		WHERE ` + current + ` AND u.expires_at > connection.expires_at
			AND u.expires_at - connection.expires_at >= least($7, (u.expires_at - u.now) / 2)`
	look = `
		SELECT u.n, connection.seq, connection.refreshed_at, connection.expires_at
		FROM connection, ` + presented + `
		WHERE ` + current
)

// spendAll rotates every connection whose current token is presented, and marks
// those as done. Of several requests for one connection it takes the first. What does
// not rotate is looked at in the same round trip, and written about once a day.
func spendAll(ctx context.Context, c *pgxpool.Conn, batch []*refreshRequest) error {
	var rotating, keeping []*refreshRequest
	seen := make(map[symbolon.ConnectionID]bool, len(batch))
	for _, r := range batch {
		switch {
		case r.ask.Tell: // the second transaction writes what is told as well
			seen[r.ask.ID] = true
		case r.ask.Rotation == symbolon.RotateNever:
			keeping = append(keeping, r)
		case !seen[r.ask.ID]:
			seen[r.ask.ID] = true
			rotating = append(rotating, r)
		}
	}
	if len(keeping)+len(rotating) == 0 {
		return nil
	}
	if len(keeping) == 0 {
		rows, err := c.Query(ctx, rotate, tokens(rotating)...)
		rotated, err := collect(rows, err, pgx.RowTo[int64])
		if err = committed(c, err); err == nil {
			settleRotated(rotating, rotated)
		}
		return err
	}
	// Sent at once and one transaction, answered when it is committed.
	var rotated []int64
	var kept []lookedAt
	all := &pgx.Batch{}
	if len(rotating) > 0 {
		all.Queue(rotate, tokens(rotating)...).Query(func(rows pgx.Rows) (err error) {
			rotated, err = collect(rows, nil, pgx.RowTo[int64])
			return err
		})
	}
	args := tokens(keeping)
	all.Queue(prolong, append(args, prolongStep)...)
	all.Queue(look, args...).Query(func(rows pgx.Rows) (err error) {
		kept, err = collect(rows, nil, pgx.RowToStructByPos[lookedAt])
		return err
	})
	if err := committed(c, c.SendBatch(ctx, all).Close()); err != nil {
		return err
	}
	settleRotated(rotating, rotated)
	for _, l := range kept {
		r := keeping[l.N-1]
		r.done = true
		r.out = symbolon.RefreshOutcome{Result: symbolon.Kept, Seq: uint64(l.Seq), At: moment(l.RefreshedAt), ExpiresAt: moment(l.ExpiresAt)}
	}
	return nil
}

// lookedAt is what a token that does not rotate was found to be.
type lookedAt struct{ N, Seq, RefreshedAt, ExpiresAt int64 }

// tokens returns the arguments of presented, after sorting the list.
func tokens(list []*refreshRequest) []any {
	slices.SortFunc(list, func(a, b *refreshRequest) int { return bytes.Compare(a.ask.ID[:], b.ask.ID[:]) })
	ids, seqs := make([][16]byte, len(list)), make([]int64, len(list))
	nows, expires, born := make([]int64, len(list)), make([]int64, len(list)), make([]int64, len(list))
	from := make([][16]byte, len(list))
	for i, r := range list {
		from[i] = address16(r.ask.From)
		ids[i], seqs[i] = r.ask.ID, int64(r.ask.Seq)
		nows[i], expires[i], born[i] = millis(r.ask.Now), millis(r.ask.ExpiresAt), millis(r.ask.ID.Time())
	}
	return []any{ids, seqs, nows, expires, born, from}
}

// settleRotated marks those as done whose places in the list are named.
func settleRotated(list []*refreshRequest, places []int64) {
	for _, n := range places {
		r := list[n-1]
		r.done = true
		r.out = symbolon.RefreshOutcome{
			Result: symbolon.Rotated, Seq: r.ask.Seq + 1, At: moment(millis(r.ask.Now)), ExpiresAt: moment(millis(r.ask.ExpiresAt)),
		}
	}
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
		row.prolong(millis(r.ExpiresAt), now, r)
		row.told(tx, r)
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
		row.used(r)
		row.told(tx, r)
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
func (l *locked) prolong(until, now int64, r *symbolon.Refresh) {
	if until-l.expiresAt < min(prolongStep, (until-now)/2) || until <= l.expiresAt {
		return
	}
	l.expiresAt, l.changed = until, true
	l.used(r)
}

// used notes whom a refresh came from.
func (l *locked) used(r *symbolon.Refresh) {
	from := address16(r.From)
	l.usedFrom = &from
}

// told has the app's webhook be told of a refresh, where it is.
func (l *locked) told(tx *transaction, r *symbolon.Refresh) {
	if r.Tell {
		l.tell(tx, "", millis(r.Now), symbolon.EventRefreshed)
	}
}
