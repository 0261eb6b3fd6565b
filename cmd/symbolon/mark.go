package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// mark is the high-water mark, a small file outside the database. It shows
// after a start whether the machine's clock was set back meanwhile, and whether
// the database was put back to an older copy.
type mark struct {
	// Time is the highest time that a server on this directory has used.
	Time time.Time `json:"time"`
	// Epoch is the identity of the database, made with it.
	Epoch string `json:"epoch"`
	// Commits is how many commits the database had seen.
	Commits uint64 `json:"commits"`
	// Database is the URL of a PostgreSQL database, without its password, or
	// empty for the one in the data directory.
	Database string `json:"database,omitempty"`
}

const (
	markName = "mark"
	// markEvery is how often the mark is written, at most.
	markEvery = time.Second
	// clockSlack is how far behind the mark the machine's clock may be.
	clockSlack = time.Minute
)

// readMark returns the mark of a data directory. A missing one is an error that
// is fs.ErrNotExist.
func readMark(dir string) (mark, error) {
	var m mark
	text, err := os.ReadFile(filepath.Join(dir, markName))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Time.IsZero() || m.Epoch == "" {
		return mark{}, errors.New("the mark cannot be read: it is damaged")
	}
	return m, nil
}

func (m mark) write(dir string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, markName), append(text, '\n'))
}

// compareMark says what a mark reveals about the machine's clock and about the
// database, in sentences for an operator. Each says what it means and what to
// do. There are none when all is well.
func compareMark(m mark, merr error, db databaseMark, machine time.Time) []string {
	if errors.Is(merr, fs.ErrNotExist) {
		if !db.Used || db.Shared { // a new server, or a new node beside others
			return nil
		}
		return []string{"The high-water mark is missing beside a database that was in use, so it cannot be told whether the database is an older copy or the clock was set back. If you restored a backup: connections, secrets and passwords are as they were when it was made, and what was ended since may be alive. Nothing else is to be done; a new mark is made."}
	}
	if merr != nil {
		return []string{"The high-water mark cannot be read, so it cannot be told whether the database is an older copy or the clock was set back. A new mark is made. Look whether the disk is damaged."}
	}
	var warnings []string
	if behind := m.Time.Sub(machine); behind > clockSlack {
		warnings = append(warnings, fmt.Sprintf("The machine's clock is %s behind the time that was last used here (%s). Time goes on from there, so that nothing that had expired comes alive. Set the clock right (timedatectl status) and start again. If it was the earlier time that was wrong: stop the server, remove the file mark from the data directory, and rotate the key (symbolon key rotate), since what was issued in between lives that much longer.", span(behind.Round(time.Second)), when(m.Time)))
	}
	switch {
	case m.Epoch != db.Epoch:
		warnings = append(warnings, "The database is not the one that was last used here. "+rolledBack)
	case db.Commits < m.Commits:
		missing := count(int(m.Commits-db.Commits), "commit is", "commits are")
		if db.Shared { // where they are counted by the second in which there were some
			missing = "the last changes are"
		}
		warnings = append(warnings, fmt.Sprintf("The database is an older copy of the one that was last used here: %s missing. ", missing)+rolledBack)
	}
	return warnings
}

// rolledBack says what follows from a database that was put back to an older state.
const rolledBack = "Connections are kept: an app that refreshed since is caught up with. But what was ended, retired or changed since is as it was before: end it again (symbolon connection end), set changed passwords again, and look at the apps' secrets. If you cannot tell what that was, rotate the key and retire the old one (symbolon key rotate, symbolon key retire): everyone then connects anew."

// databaseMark is what a database says of itself.
type databaseMark struct {
	Epoch   string
	Commits uint64
	// Used says that a server has run on it.
	Used bool
	// Sandbox is set in a database for trying out.
	Sandbox bool
	// Shared says that other nodes may work on it.
	Shared bool
}

// usedClock is a clock that remembers the highest time that it gave out.
type usedClock struct {
	symbolon.Clock
	used atomic.Int64 // Unix milliseconds
}

// newUsedClock returns a clock that does not go back behind floor.
func newUsedClock(floor time.Time) *usedClock {
	c := &usedClock{Clock: symbolon.NewSteadyClock(floor)}
	if !floor.IsZero() {
		c.used.Store(floor.UnixMilli())
	}
	return c
}

// Now implements symbolon.Clock.
func (c *usedClock) Now() time.Time {
	now := c.Clock.Now()
	ms := now.UnixMilli()
	for {
		used := c.used.Load()
		if ms <= used || c.used.CompareAndSwap(used, ms) {
			return now
		}
	}
}

// highest returns the highest time that was given out.
func (c *usedClock) highest() time.Time { return time.UnixMilli(c.used.Load()).UTC() }

// keepMark writes the mark at once, then about once a second while it moves,
// and when the context ends. A failure is told once, until writing succeeds again.
func keepMark(ctx context.Context, dir string, current func() (mark, error), failed func(error)) {
	var last mark
	ok := true
	save := func() {
		m, err := current()
		if err == nil && m == last {
			return
		}
		if err == nil {
			err = m.write(dir)
		}
		if err != nil {
			if ok {
				failed(err)
			}
			ok = false
			return
		}
		last, ok = m, true
	}
	save()
	t := time.NewTicker(markEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			save()
			return
		case <-t.C:
			save()
		}
	}
}
