package sqlite

import (
	"time"

	"github.com/symbolon/symbolon"
)

// What is over stays for a while. The margins are days, so that a clock that
// jumps forward deletes nothing that is needed when it is set right.
const (
	connectionMargin = 7 * 24 * time.Hour // after a connection's expiry
	sessionMargin    = 7 * 24 * time.Hour // after a session's expiry
	onceMargin       = time.Hour          // after a record of what was used once
	changeMargin     = 3 * 24 * time.Hour // after a change; readers need one day
)

const (
	sweepPause = 50 * time.Millisecond // between two sweeps
	sweepRows  = 32                    // looked at in one sweep, at least
)

// sweep deletes what has long been over, a few rows at a time, in transactions
// that others have asked for. It walks each table by its key and begins again
// at the end, so that no index on an expiry is needed.
type sweep struct {
	last       time.Time
	born       int // rows inserted since the last sweep, of those that many requests insert
	connection symbolon.ConnectionID
	browser    [32]byte
	damaged    bool // what is damaged is left alone
}

// some sweeps a few rows. It looks at two rows for each that was born, so that
// it keeps up with whatever load there is. An error means that the transaction
// cannot go on.
func (s *sweep) some(tx *transaction) error {
	s.born += tx.born
	if s.damaged || tx.at.IsZero() || (time.Since(s.last) < sweepPause && s.born < sweepRows) {
		return nil
	}
	rows := sweepRows + 2*s.born
	s.last, s.born = time.Now(), 0
	for _, step := range []func(*transaction, int) error{s.connections, s.sessions, s.changes, s.once} {
		if err := step(tx, rows); err != nil {
			if blameFor(err) == storeFault {
				return err
			}
			s.damaged = true
			tx.w.away.hurt("sqlite: sweep", err)
			return nil
		}
	}
	return nil
}

func (s *sweep) connections(tx *transaction, rows int) error {
	return s.walk(tx, rows, s.connection[:],
		`SELECT coalesce(max(id), x''), count(*), coalesce(sum(expires_at < ?1), 0)
		 FROM (SELECT id, expires_at FROM connection WHERE id > ?2 ORDER BY id LIMIT ?3)`,
		`DELETE FROM connection WHERE id > ?2 AND id <= ?3 AND expires_at < ?1`,
		millis(tx.at.Add(-connectionMargin)))
}

func (s *sweep) sessions(tx *transaction, rows int) error {
	return s.walk(tx, rows, s.browser[:],
		`SELECT coalesce(max(browser), x''), count(*), coalesce(sum(expires_at < ?1), 0)
		 FROM (SELECT browser, expires_at FROM session WHERE browser > ?2 ORDER BY browser LIMIT ?3)`,
		`DELETE FROM session WHERE browser > ?2 AND browser <= ?3 AND expires_at < ?1`,
		millis(tx.at.Add(-sessionMargin)))
}

// walk looks at the rows that follow the cursor, deletes those of them that
// expired before a time, and moves the cursor on.
func (s *sweep) walk(tx *transaction, rows int, cursor []byte, look, remove string, before int64) error {
	var last []byte
	var seen, over int
	if err := tx.row(look, []any{before, cursor, rows}, &last, &seen, &over); err != nil {
		return err
	}
	if over > 0 {
		if _, err := tx.exec(remove, before, cursor, last); err != nil {
			return err
		}
	}
	if seen < rows {
		clear(cursor)
	} else {
		copy(cursor, last)
	}
	return nil
}

// changes deletes from the front only, so that what is left has no gap.
func (s *sweep) changes(tx *transaction, rows int) error {
	_, err := tx.exec(`
		DELETE FROM change
		WHERE no IN (SELECT no FROM change ORDER BY no LIMIT ?1) AND at < ?2
			AND no < coalesce((SELECT min(no) FROM change WHERE at >= ?2), 9223372036854775807)`,
		rows, millis(tx.at.Add(-changeMargin)))
	return err
}

// once deletes records whose time is over, by their index.
func (s *sweep) once(tx *transaction, rows int) error {
	_, err := tx.exec(`DELETE FROM once WHERE key IN (SELECT key FROM once WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)`,
		millis(tx.at.Add(-onceMargin)), rows)
	return err
}
