package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/move"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/sqlite"
)

// moveCmd carries everything from a data directory to a PostgreSQL database, or the
// other way.
type moveCmd struct {
	From string `placeholder:"DIR" required:"" help:"Data directory whose database is moved, or the URL of a PostgreSQL database. No server may run on it meanwhile."`
	To   string `placeholder:"URL" xor:"to" help:"PostgreSQL database to move to, an empty one: postgres://user:password@host/name ($$SYMBOLON_DATABASE). Or a data directory, when --from is a URL."`
	Undo bool   `xor:"to" help:"Instead, let the database that was moved be served again, as it was when it was moved."`
	Yes  bool   `help:"Do not ask before undoing."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (moveCmd) Help() string {
	return `Everything is carried over, and tokens issued before go on working with the same root key. What was copied is then read from both databases and compared. If it is interrupted at any moment, run it again: it goes on where it was. Nothing in the old database is deleted; it is marked, so that it is not served by mistake.

Example:

    symbolon move --from /var/lib/symbolon --to postgres://symbolon@db.example.com/symbolon
    symbolon serve --data /var/lib/symbolon --database postgres://symbolon@db.example.com/symbolon …`
}

// moveWait bounds one statement of a move.
const moveWait = time.Minute

// movable is an open database at either end of a move.
type movable interface {
	symbolon.Source
	symbolon.Target
	Stay(ctx context.Context) error
	Close() error
}

// isURL reports whether an end of a move is a PostgreSQL database.
func isURL(end string) bool { return strings.Contains(end, "://") }

// named is an end of a move as people may see it.
func named(end string) string {
	if isURL(end) {
		return publicURL(end)
	}
	return end
}

// dir is the data directory of the two ends, or empty.
func (c *moveCmd) dir() string {
	for _, end := range [...]string{c.From, c.To} {
		if end != "" && !isURL(end) {
			return end
		}
	}
	return ""
}

// Run implements the command.
func (c *moveCmd) Run(sh *shell) (err error) {
	if to, ok := sh.env(envName("database")); ok && c.To == "" && !c.Undo && !isURL(c.From) {
		c.To = to
	}
	if err := c.check(); err != nil {
		return err
	}
	if dir := c.dir(); dir != "" {
		if isURL(c.From) {
			err = makeDir(dir)
		} else {
			err = needDatabase(dir)
		}
		if err != nil {
			return err
		}
		lock, err := lockDir(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.release()) }()
		if err := lock.tell(running{PID: syscall.Getpid()}); err != nil {
			return err
		}
	}
	source, err := c.open(sh, c.From, nil)
	if err != nil {
		if kind := symbolon.KindOf(err); kind == symbolon.Denied || kind == symbolon.NotFound {
			err = &explained{wrong: detail(err), err: err}
		}
		return fmt.Errorf("the database at %s cannot be opened: %w", named(c.From), err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if c.Undo {
		return c.undo(sh, source)
	}
	return c.move(sh, source)
}

// check looks at the two ends.
func (c *moveCmd) check() error {
	for _, end := range [...]string{c.From, c.To} {
		if isURL(end) {
			if err := checkDatabaseURL(end); err != nil {
				return err
			}
		}
	}
	switch {
	case c.Undo:
		return nil
	case c.To == "":
		return mend(errors.New("say where to: --to is missing"), "“symbolon move --help” has an example")
	case isURL(c.From) == isURL(c.To):
		return mend(errors.New("one of --from and --to is a data directory, and the other the URL of a PostgreSQL database"), "“symbolon move --help” has an example")
	}
	return nil
}

// open opens one end. With sort set, it is made where it is missing, and has to be
// of this sort.
func (c *moveCmd) open(sh *shell, end string, sort *symbolon.StoreState) (movable, error) {
	if isURL(end) {
		options := postgres.Options{URL: end, Wait: moveWait, Transfer: true}
		if sort != nil {
			options.Create = &postgres.Create{Sandbox: sort.Sandbox}
		}
		db, err := postgres.Open(sh.ctx, options)
		if err != nil {
			return nil, explain(end, err)
		}
		return db, nil
	}
	options := sqlite.Options{Path: filepath.Join(end, databaseName), Transfer: true}
	if sort != nil {
		options.Create = &sqlite.Create{Sandbox: sort.Sandbox}
	}
	return sqlite.Open(sh.ctx, options)
}

// move moves, and says how far it has come.
func (c *moveCmd) move(sh *shell, source movable) (err error) {
	p := sh.progress()
	defer p.end()
	if err := c.ready(sh, source, p); err != nil {
		return err
	}
	state, err := source.State(sh.ctx)
	if err != nil {
		return err
	}
	target, err := c.open(sh, c.To, &state)
	if err != nil {
		p.end()
		return c.hint(fmt.Errorf("the database that is moved to cannot be opened: %w", err))
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	to := named(c.To)
	if !isURL(c.To) { // who reads it may stand in another directory
		if to, err = filepath.Abs(c.To); err != nil {
			return err
		}
	}
	result, err := move.Run(sh.ctx, source, target, to, func(now move.Progress) {
		p.rows(string(now.Phase), now.Done, now.Total)
	})
	p.end()
	if sh.ctx.Err() != nil {
		return c.again(errors.New("interrupted"))
	}
	if err != nil {
		return c.hint(err)
	}
	if err := c.remember(sh.ctx, target); err != nil {
		return err
	}
	return c.print(sh, result)
}

// ready looks whether the source is whole, or sees to it that nobody changes it.
func (c *moveCmd) ready(sh *shell, source movable, p *progress) error {
	switch db := source.(type) {
	case *postgres.DB:
		if err := db.Hold(sh.ctx); symbolon.KindOf(err) == symbolon.Denied {
			return mend(err, "stop every server and every other program that uses it; nothing was changed")
		} else if err != nil {
			return err
		}
	case *sqlite.DB:
		p.say("checking the database in %s", c.From)
		err := db.Check(sh.ctx)
		if sh.ctx.Err() != nil {
			return c.again(errors.New("interrupted"))
		}
		if err != nil {
			return mend(fmt.Errorf("the database in %s is damaged: %w", c.From, err), "put back the latest backup (symbolon restore), and move that")
		}
	}
	return nil
}

// remember writes into the mark of the data directory which database its server has
// from now on, and what is in it.
func (c *moveCmd) remember(ctx context.Context, target movable) error {
	state, err := target.State(ctx)
	if err != nil {
		return err
	}
	return c.mark(state, c.To)
}

// mark writes the mark of the data directory, for a server on the database at this
// end, which is in this state. Its time stays.
func (c *moveCmd) mark(state symbolon.StoreState, end string) error {
	dir := c.dir()
	if dir == "" {
		return nil
	}
	m, err := readMark(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the high-water mark cannot be read: %w", err)
	}
	if m.Time.IsZero() {
		m.Time = time.Now().UTC()
	}
	m.Epoch, m.Commits, m.Database = sqlite.Epoch(state.Epoch).String(), state.Commits, ""
	if isURL(end) {
		m.Database = publicURL(end)
	}
	return m.write(dir)
}

// hint adds to what hindered a move what to do about it.
func (c *moveCmd) hint(err error) error {
	if m, ok := errors.AsType[*mendable](err); ok {
		return mend(err, "%s; nothing was changed", m.hint)
	}
	switch kind := symbolon.KindOf(err); {
	case errors.Is(err, symbolon.ErrMoved), errors.Is(err, symbolon.ErrMoving), errors.Is(err, symbolon.ErrNewer):
		return mend(errors.New(detail(err)), "%s", hintFor(err))
	case kind == symbolon.Denied && isURL(c.To):
		return mend(&explained{wrong: detail(err), err: err}, "make an empty database for it (createdb), and name that; nothing was changed")
	case kind == symbolon.Denied:
		return mend(&explained{wrong: detail(err), err: err}, "name a new directory with --to; nothing was changed")
	case kind == symbolon.Conflict:
		return mend(err, "a command changed it meanwhile; nothing was lost. Run the same command again")
	case kind == symbolon.Internal:
		return mend(err, "the database at %s is as it was, and is still the one to serve. Run the same command again; if it fails again, keep both and tell us", named(c.From))
	}
	return c.again(err)
}

// again says that an interrupted move goes on where it was.
func (c *moveCmd) again(err error) error {
	return mend(err, "nothing at %s was changed or lost. Run the same command again: it goes on where it was", named(c.From))
}

func (c *moveCmd) print(sh *shell, result move.Result) error {
	if result.Already {
		result.Rows = map[string]int64{}
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"moved": result.Rows, "already": result.Already, "to": named(c.To)})
	}
	if result.Already {
		fmt.Fprintln(sh.stdout, "Everything was moved before; nothing was done.")
	} else {
		rows := result.Rows
		fmt.Fprintf(sh.stdout, "Moved %s, %s, %s and all that belongs to them. Both databases were read again, and are the same.\n",
			count(int(rows["account"]), "account", "accounts"), count(int(rows["app"]), "app", "apps"), count(int(rows["connection"]), "connection", "connections"))
	}
	if isURL(c.To) {
		fmt.Fprintf(sh.stdout, "From now on, start the server with --data %s --database '%s'. The root key stays where it is. The database in %s is kept, and is not served any more.\n",
			c.From, publicURL(c.To), c.From)
		return nil
	}
	fmt.Fprintf(sh.stdout, "From now on, start the server with --data %s and without --database. The root key of the servers that used %s has to be there. That database is kept, and is not served any more.\n",
		c.To, publicURL(c.From))
	return nil
}

// undo lets the database that was moved be served again.
func (c *moveCmd) undo(sh *shell, source movable) error {
	state, err := source.State(sh.ctx)
	if err != nil {
		return err
	}
	if state.MovedTo == "" {
		return fmt.Errorf("the database at %s was not moved", named(c.From))
	}
	err = sh.confirm(c.Yes, "undo", "going back to the database as it was when it was moved, without what was changed in "+printable(state.MovedTo)+" since,")
	if err == nil {
		err = c.mark(state, c.From)
	}
	if err == nil {
		err = source.Stay(sh.ctx)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"undone": true, "from": state.MovedTo})
	}
	fmt.Fprintf(sh.stdout, "The database at %s may be served again. Let no server run on %s any more: what is done there from now on is lost, and what was ended there since the move is alive here.\n", named(c.From), state.MovedTo)
	return nil
}
