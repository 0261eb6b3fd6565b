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

// createFlag is what makes a data directory without a server.
type createFlag struct {
	Create bool `name:"create" help:"Make the database, as that of a real server, if there is none."`
}

// need refuses a directory without a database, unless one is to be made.
func (f *createFlag) need(dir string) error {
	if f.Create {
		return nil
	}
	err := needDatabase(dir)
	if _, ok := errors.AsType[*mendable](err); ok {
		return mend(err, "name the directory of the server with --data. If there is no server yet, start it once (symbolon serve --data %s), or add --create", dir)
	}
	return err
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
