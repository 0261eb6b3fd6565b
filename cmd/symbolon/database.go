package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/sqlite"
)

// desk is an open data directory, as a command works on it beside a server
// that may run.
type desk struct {
	dir     string
	store   *sqlite.DB
	clock   *usedClock
	sandbox bool
}

// announce says that a command is about to make a data directory: it may be
// meant, before the first start of a server, or a slip in its name.
func (p *place) announce(sh *shell) {
	if _, ok := errors.AsType[*mendable](needDatabase(p.Data)); ok {
		fmt.Fprintf(sh.stderr, "symbolon: note: there is no database in %s yet; it is made now, for a server that is started there later\n", p.Data)
	}
}

// open opens the data directory of a command. With make set, a missing one is
// made, as that of a real server.
func (p *place) open(sh *shell, make bool) (*desk, error) {
	d := &desk{dir: p.Data, clock: clockBeside(p.Data)}
	options := sqlite.Options{Path: filepath.Join(p.Data, databaseName), Clock: d.clock}
	err := needDatabase(p.Data)
	if err != nil && make {
		options.Create = new(sqlite.Create)
		err = makeDir(p.Data)
	}
	if err != nil {
		return nil, err
	}
	if d.store, err = sqlite.Open(sh.ctx, options); err != nil {
		return nil, fmt.Errorf("the database cannot be opened: %w", err)
	}
	mark, err := d.store.Mark(sh.ctx)
	if err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	d.sandbox = mark.Sandbox
	return d, nil
}

// clockBeside returns a clock for a command beside a server. Where the
// machine's clock was set back, the server goes on from the mark, which it
// writes once a second: then the command must not be behind it either, or what
// it ends would be ended in the server's past.
func clockBeside(dir string) *usedClock {
	m, _ := readMark(dir) // zero when there is none; a server tells of a damaged one
	floor := m.Time
	if floor.After(time.Now()) {
		floor = floor.Add(2 * markEvery)
	}
	return newUsedClock(floor)
}

// end ends something as of now. What has connected between the reading of the
// clock and the commit was born after that reading and would live on, so what
// is ended for all at once is ended a second time: nothing made before the first
// commit can be born after it.
func (d *desk) end(ctx context.Context, e symbolon.End) (int, error) {
	e.Now = d.clock.Now()
	n, err := d.store.End(ctx, e)
	if err != nil || e.Delete || e.Connection != (symbolon.ConnectionID{}) {
		return n, err
	}
	time.Sleep(2 * time.Millisecond) // times are whole milliseconds
	e.Now = d.clock.Now()
	again, err := d.store.End(ctx, e)
	if e.Account != "" && e.Client != "" {
		return n + again, err
	}
	return max(n, again), err
}

// settle waits until a server that runs on the directory has taken up what was
// committed.
func (d *desk) settle(ctx context.Context) {
	if _, runs := whoRuns(d.dir); !runs {
		return
	}
	select {
	case <-time.After(feedBound):
	case <-ctx.Done():
	}
}

// with opens the data directory, runs a command on it, and closes it.
func (p *place) with(sh *shell, make bool, do func(*desk) error) error {
	d, err := p.open(sh, make)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.store.Close())
}
