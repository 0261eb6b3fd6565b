package sqlite

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

// maxSeq is more rotations than any connection lives through. It keeps a
// sequence number as wide as seqBase makes it.
const maxSeq = 1 << 46

// Refresh implements symbolon.Store.
func (db *DB) Refresh(ctx context.Context, r symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	const op = "sqlite: refresh"
	if r.Seq >= maxSeq {
		return symbolon.RefreshOutcome{}, symbolon.Errorf(symbolon.Invalid, op, "no connection gets as far as sequence number %d", r.Seq)
	}
	var outcome symbolon.RefreshOutcome
	err := db.write(ctx, op, func(tx *transaction) (err error) {
		outcome, err = tx.refresh(&r)
		return err
	})
	if err != nil {
		return symbolon.RefreshOutcome{}, err
	}
	return outcome, nil
}

// refresh is one statement, when nobody is told of it and the token is the current
// one, as it is nearly always; otherwise it reads the row to say how the token stands
// to it.
func (tx *transaction) refresh(r *symbolon.Refresh) (outcome symbolon.RefreshOutcome, err error) {
	tx.saw(r.Now)
	if !r.Tell {
		return tx.spend(r)
	}
	err = tx.atomically(func() error {
		if outcome, err = tx.spend(r); err != nil {
			return err
		}
		switch outcome.Result {
		case symbolon.Rotated, symbolon.CaughtUp, symbolon.Kept:
			return tx.tellOf(`connection.id = ?1`, []any{r.ID[:]}, "", millis(r.Now), symbolon.EventRefreshed)
		}
		return nil
	})
	return outcome, err
}

// spend is refresh without what is told of it.
func (tx *transaction) spend(r *symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	now := millis(r.Now)
	if r.Rotation != symbolon.RotateNever {
		n, err := tx.exec(`
			UPDATE connection SET seq = seq + 1, refreshed_at = ?, expires_at = ?, used_from = ?
			WHERE id = ? AND seq = ? AND ended_at IS NULL AND expires_at > ?
				AND EXISTS (
					SELECT 1 FROM account
					WHERE no = account_no AND disabled_at IS NULL AND not_before < ?)
				AND EXISTS (
					SELECT 1 FROM app
					WHERE no = app_no AND deleted_at IS NULL AND not_before < ?)`,
			now, millis(r.ExpiresAt), symbolon.AppendAddress(nil, r.From), r.ID[:], seqBase+int64(r.Seq), now, millis(r.ID.Time()), millis(r.ID.Time()))
		if err != nil {
			return symbolon.RefreshOutcome{}, err
		}
		if n == 1 {
			return symbolon.RefreshOutcome{Result: symbolon.Rotated, Seq: r.Seq + 1, At: moment(now), ExpiresAt: moment(millis(r.ExpiresAt))}, nil
		}
	}
	row, err := tx.standing(r.ID)
	if missing(err) {
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}, nil
	}
	if err != nil {
		return symbolon.RefreshOutcome{}, err
	}
	return tx.refreshRow(r, row, now)
}

// standing is what decides on a refresh.
type standing struct {
	seq         uint64
	refreshedAt int64
	expiresAt   int64
	ended       bool
	stands      bool // account and app are there, enabled, and not ended since
}

func (tx *transaction) standing(id symbolon.ConnectionID) (standing, error) {
	var s standing
	var seq int64
	err := tx.row(`
		SELECT seq, refreshed_at, expires_at, ended_at IS NOT NULL,
			EXISTS (
				SELECT 1 FROM account
				WHERE no = account_no AND disabled_at IS NULL AND not_before < ?2)
			AND EXISTS (
				SELECT 1 FROM app
				WHERE no = app_no AND deleted_at IS NULL AND not_before < ?2)
		FROM connection WHERE id = ?1`, []any{id[:], millis(id.Time())}, &seq, &s.refreshedAt, &s.expiresAt, &s.ended, &s.stands)
	if err == nil && seq < seqBase {
		err = errDamaged
	}
	s.seq = uint64(seq - seqBase)
	return s, err
}

func (tx *transaction) refreshRow(r *symbolon.Refresh, row standing, now int64) (symbolon.RefreshOutcome, error) {
	switch {
	case row.ended:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshEnded}, nil
	case row.expiresAt <= now, !row.stands:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}, nil

	case r.Seq == row.seq: // of an app that does not rotate: any other was rotated above
		until, err := tx.keep(r, row, now)
		return symbolon.RefreshOutcome{Result: symbolon.Kept, Seq: row.seq, At: moment(row.refreshedAt), ExpiresAt: moment(until)}, err

	case r.Seq > row.seq:
		seq := r.Seq
		if r.Rotation != symbolon.RotateNever {
			seq++
		}
		_, err := tx.exec(`UPDATE connection SET seq = ?2, refreshed_at = ?3, expires_at = ?4, used_from = ?5 WHERE id = ?1`,
			r.ID[:], seqBase+int64(seq), now, millis(r.ExpiresAt), symbolon.AppendAddress(nil, r.From))
		return symbolon.RefreshOutcome{Result: symbolon.CaughtUp, Seq: seq, At: moment(now), ExpiresAt: moment(millis(r.ExpiresAt))}, err

	case r.Seq+1 == row.seq && (r.Grace < 0 || now-row.refreshedAt <= r.Grace.Milliseconds()):
		return symbolon.RefreshOutcome{Result: symbolon.Repeated, Seq: row.seq, At: moment(row.refreshedAt), ExpiresAt: moment(row.expiresAt)}, nil

	default:
		_, err := tx.endConnection(r.ID, symbolon.ByRefreshReplay, now)
		return symbolon.RefreshOutcome{Result: symbolon.RefreshReplayed}, err
	}
}

// keep pushes the expiry of a connection that does not rotate forward, at most
// once a day, or at half of its life where that is short. It returns the expiry.
func (tx *transaction) keep(r *symbolon.Refresh, row standing, now int64) (int64, error) {
	until := millis(r.ExpiresAt)
	const day = int64(24 * time.Hour / time.Millisecond)
	if until-row.expiresAt < min(day, (until-now)/2) || until <= row.expiresAt {
		return row.expiresAt, nil
	}
	_, err := tx.exec(`UPDATE connection SET expires_at = ?2, used_from = ?3 WHERE id = ?1`, r.ID[:], until, symbolon.AppendAddress(nil, r.From))
	return until, err
}
