package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/sqlite"
)

// database is an open store of either sort.
type database struct {
	symbolon.Store
	// outbox is the same store, as that.
	outbox symbolon.Outbox
	// trail has the last requests of each app: in a file beside the database, or in it.
	trail symbolon.Trail
	// shared says that other nodes may work on it as well.
	shared bool
	// mark returns what the database says of itself.
	mark func(ctx context.Context) (databaseMark, error)
	// beat is mark for a server, which calls it once a second: what it has changed
	// since the last time shows in it.
	beat func(ctx context.Context) (databaseMark, error)
	// close finishes what was accepted and lets go of the database.
	close func() error
	// rest gives back memory that is not needed while nothing is asked, or is nil.
	rest func(ctx context.Context) error

	file   *sqlite.DB   // set when it is the one in the data directory
	server *postgres.DB // set when it is PostgreSQL
}

// opening says how a database is opened.
type opening struct {
	// create makes what is missing, for a server of this sort.
	create  bool
	sandbox bool
	log     *slog.Logger
	clock   symbolon.Clock
}

// openDatabase opens the database of a place.
func (p *place) openDatabase(ctx context.Context, o opening) (*database, error) {
	if err := p.sameDatabase(); err != nil {
		return nil, err
	}
	if p.Database != "" {
		if err := checkDatabaseURL(p.Database); err != nil {
			return nil, err
		}
		return p.openPostgres(ctx, o)
	}
	options := sqlite.Options{Path: filepath.Join(p.Data, databaseName), Log: o.log, Clock: o.clock}
	if o.create {
		options.Create = &sqlite.Create{Sandbox: o.sandbox}
	}
	db, err := sqlite.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	mark := func(ctx context.Context) (databaseMark, error) {
		m, err := db.Mark(ctx)
		return databaseMark{Epoch: m.Epoch.String(), Commits: m.Commits, Sandbox: m.Sandbox}, err
	}
	requests := sqlite.OpenTrail(filepath.Join(p.Data, trailName))
	shut := func() error { return errors.Join(db.Close(), requests.Close()) }
	return &database{Store: db, outbox: db, trail: requests, file: db, close: shut, rest: db.Rest, mark: mark, beat: mark}, nil
}

func (p *place) openPostgres(ctx context.Context, o opening) (*database, error) {
	options := postgres.Options{URL: p.Database, NoNotify: p.DatabaseNotify == "off", Log: o.log, Clock: o.clock}
	if o.create {
		options.Create = &postgres.Create{Sandbox: o.sandbox}
	}
	db, err := postgres.Open(ctx, options)
	if err != nil {
		return nil, explain(p.Database, err)
	}
	from := func(read func(context.Context) (postgres.Mark, error)) func(context.Context) (databaseMark, error) {
		return func(ctx context.Context) (databaseMark, error) {
			m, err := read(ctx)
			return databaseMark{Epoch: m.Epoch.String(), Commits: m.Commits, Sandbox: m.Sandbox, Shared: true}, err
		}
	}
	return &database{Store: db, outbox: db, trail: db, shared: true, server: db, close: db.Close, mark: from(db.Mark), beat: from(db.Beat)}, nil
}

// explained is an error in words for whoever set the database up, in place of the driver's.
type explained struct {
	wrong string
	err   error
}

func (e *explained) Error() string { return e.wrong }
func (e *explained) Unwrap() error { return e.err }

// explain says why a PostgreSQL database could not be opened, and what mends it, where
// that is known. The kind stays.
func explain(database string, err error) error {
	wrong, how := postgres.Reason(database, err)
	if wrong == "" {
		return err
	}
	return mend(&explained{wrong: wrong, err: err}, "%s", how)
}

// sameDatabase refuses to work on the database in a data directory whose server
// uses another one: what would be changed there, nobody would see.
func (p *place) sameDatabase() error {
	if p.Database != "" {
		return nil
	}
	m, _ := readMark(p.Data) // without one, or with a damaged one, there is nothing to go by
	if m.Database == "" {
		return nil
	}
	return mend(fmt.Errorf("the server of %s uses the database %s, and none was named", p.Data, m.Database),
		"name it with --database, %s, or database in %s; after a move, “symbolon move --from %s --undo” goes back; a server with another database needs a data directory of its own", envName("database"), configName, p.Data)
}

// checkDatabaseURL holds a database's URL to its form. The error does not repeat it,
// since a password may be in it.
func checkDatabaseURL(database string) error {
	u, err := url.Parse(database)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return mend(errors.New("database is not the URL of a PostgreSQL database"), "write it as postgres://user:password@host:5432/name, with a port for each host or for none, and %%20 and the like in place of what a URL cannot hold")
	}
	if strayPassword(database) {
		return mend(errors.New("the URL of the database holds a mark where none can be: in its password, it seems"), "write %%40 for @, %%2F for /, %%23 for # and %%3F for ? in the password")
	}
	return nil
}

// strayPassword reports whether a URL reads as if its password held a mark that ends
// it: what comes behind is then taken for a host or a path, looked up and shown.
func strayPassword(database string) bool {
	_, rest, _ := strings.Cut(database, "://")
	before, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(before, "/")
	if strings.Contains(rest, "#") || strings.Contains(path, "@") || strings.Count(authority, "@") > 1 {
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "@") {
			return true
		}
	}
	return false
}

// publicURL is a database's URL without what is secret in it.
func publicURL(database string) string {
	if checkDatabaseURL(database) != nil {
		return masked // it is in another form, with a password anywhere
	}
	u, _ := url.Parse(database) // checked
	if _, set := u.User.Password(); set {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, secret := range [...]string{"password", "sslpassword"} {
		q.Del(secret)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// desk is an open database with its data directory, as a command works on it
// beside a server that may run.
type desk struct {
	dir     string
	store   *database
	clock   *usedClock
	sandbox bool
}

// announce says that a command is about to make a data directory: it may be
// meant, before the first start of a server, or a slip in its name.
func (p *place) announce(sh *shell) {
	if p.Database != "" {
		return
	}
	if _, ok := errors.AsType[*mendable](needDatabase(p.Data)); ok {
		fmt.Fprintf(sh.stderr, "symbolon: note: there is no database in %s yet; it is made now, for a server that is started there later\n", p.Data)
	}
}

// open opens the database of a command. With make set, a missing one is made, as
// that of a real server.
func (p *place) open(sh *shell, make bool) (*desk, error) {
	d := &desk{dir: p.Data, clock: clockBeside(p.Data)}
	o := opening{clock: d.clock}
	err := p.sameDatabase()
	if err == nil {
		err = p.needDatabase()
		if err != nil && make {
			o.create = true
			err = makeDir(p.Data)
		}
	}
	if err != nil {
		return nil, err
	}
	if d.store, err = p.openDatabase(sh.ctx, o); symbolon.KindOf(err) == symbolon.NotFound && make && p.Database != "" {
		o.create = true
		d.store, err = p.openDatabase(sh.ctx, o)
	}
	if err != nil {
		if p.Database != "" && symbolon.KindOf(err) == symbolon.NotFound {
			return nil, mend(errors.New(detail(err)), "“symbolon serve” makes them when it first starts; or name another database")
		}
		if symbolon.KindOf(err) == symbolon.Denied {
			return nil, mend(&explained{wrong: detail(err), err: err}, "%s", hintFor(err))
		}
		err = fmt.Errorf("the database cannot be opened: %w", err)
		if _, ok := errors.AsType[*mendable](err); !ok && p.Database != "" && symbolon.KindOf(err) == symbolon.Busy {
			return nil, mend(err, "nothing was done; look whether the server runs and whether its address, the user and the password are right, then try again")
		}
		return nil, err
	}
	mark, err := d.store.mark(sh.ctx)
	if err != nil {
		return nil, errors.Join(err, d.store.close())
	}
	d.sandbox = mark.Sandbox
	return d, nil
}

// needDatabase reports whether there is something to open, as an error when there
// is not. What another machine has is seen when it is opened.
func (p *place) needDatabase() error {
	if p.Database != "" {
		return nil
	}
	return needDatabase(p.Data)
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
// commit can be born after it. The nodes of a shared database each have a clock of
// their own: what one that is ahead has made before the first commit is over all the
// same, if it is ahead by no more than clocksApart. What is deleted has no second
// time, and nothing to come: it is ended as of a little later.
func (d *desk) end(ctx context.Context, e symbolon.End) (int, error) {
	pause := 2 * time.Millisecond // times are whole milliseconds
	if d.store.shared {
		pause += clocksApart
	}
	e.Now = d.clock.Now()
	if e.Delete {
		e.Now = e.Now.Add(pause)
	}
	n, err := d.store.End(ctx, e)
	if err != nil || e.Delete || e.Connection != (symbolon.ConnectionID{}) {
		return n, err
	}
	time.Sleep(pause)
	e.Now = d.clock.Now()
	again, err := d.store.End(ctx, e)
	if e.Account != "" && e.Client != "" {
		return n + again, err
	}
	return max(n, again), err
}

// settle waits until every server has taken up what was committed: the one that
// runs on the directory, or any number of them on a shared database.
func (d *desk) settle(ctx context.Context) {
	if _, runs := whoRuns(d.dir); !runs && !d.store.shared {
		return
	}
	select {
	case <-time.After(feedWait):
	case <-ctx.Done():
	}
}

// with opens the database, runs a command on it, and closes it.
func (p *place) with(sh *shell, make bool, do func(*desk) error) error {
	d, err := p.open(sh, make)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.store.close())
}
