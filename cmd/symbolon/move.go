package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/move"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/sqlite"
)

// moveCmd carries a data directory to a PostgreSQL database.
type moveCmd struct {
	From string `placeholder:"DIR" required:"" help:"Data directory whose database is moved. No server may run on it meanwhile."`
	To   string `placeholder:"URL" xor:"to" help:"PostgreSQL database to move to, an empty one: postgres://user:password@host/name ($$SYMBOLON_DATABASE)."`
	Undo bool   `xor:"to" help:"Instead, let the database in the directory be served again, as it was when it was moved."`
	Yes  bool   `help:"Do not ask before undoing."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (moveCmd) Help() string {
	return `Everything is carried over, and tokens issued before go on working with the same root key. What was copied is then read from both databases and compared. If it is interrupted at any moment, run it again: it goes on where it was. Nothing in the directory is deleted; its database is marked, so that it is not served by mistake.

Example:

    symbolon move --from /var/lib/symbolon --to postgres://symbolon@db.example.com/symbolon
    symbolon serve --data /var/lib/symbolon --database postgres://symbolon@db.example.com/symbolon …`
}

// moveWait bounds one statement of a move.
const moveWait = time.Minute

// Run implements the command.
func (c *moveCmd) Run(sh *shell) (err error) {
	if to, ok := sh.env(envName("database")); ok && c.To == "" && !c.Undo {
		c.To = to
	}
	if !c.Undo {
		if c.To == "" {
			return mend(errors.New("say where to: --to is missing"), "“symbolon move --help” has an example")
		}
		if err := checkDatabaseURL(c.To); err != nil {
			return err
		}
	}
	if err := needDatabase(c.From); err != nil {
		return err
	}
	lock, err := lockDir(c.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if err := lock.tell(running{PID: syscall.Getpid()}); err != nil {
		return err
	}
	source, err := sqlite.Open(sh.ctx, sqlite.Options{Path: filepath.Join(c.From, databaseName), Transfer: true})
	if err != nil {
		return fmt.Errorf("the database in %s cannot be opened: %w", c.From, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if c.Undo {
		return c.undo(sh, source)
	}
	return c.move(sh, source)
}

// move moves, and says how far it has come.
func (c *moveCmd) move(sh *shell, source *sqlite.DB) (err error) {
	p := sh.progress()
	p.say("checking the database in %s", c.From)
	if err := source.Check(sh.ctx); err != nil {
		p.end()
		if sh.ctx.Err() != nil {
			return c.again(errors.New("interrupted"))
		}
		return mend(fmt.Errorf("the database in %s is damaged: %w", c.From, err), "put back the latest backup (symbolon restore), and move that")
	}
	state, err := source.State(sh.ctx)
	if err != nil {
		return err
	}
	target, err := postgres.Open(sh.ctx, postgres.Options{
		URL: c.To, Create: &postgres.Create{Sandbox: state.Sandbox}, Wait: moveWait, Transfer: true,
	})
	if err != nil {
		p.end()
		return c.targetHint(fmt.Errorf("the database that is moved to cannot be opened: %w", err))
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	result, err := move.Run(sh.ctx, source, target, publicURL(c.To), func(now move.Progress) {
		p.rows(string(now.Phase), now.Done, now.Total)
	})
	p.end()
	if sh.ctx.Err() != nil {
		return c.again(errors.New("interrupted"))
	}
	if err != nil {
		return c.targetHint(err)
	}
	if err := c.remember(sh.ctx, target); err != nil {
		return err
	}
	return c.print(sh, result)
}

// remember writes into the mark of the data directory which database its server has
// from now on, and what is in it.
func (c *moveCmd) remember(ctx context.Context, target *postgres.DB) error {
	m, err := readMark(c.From)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the high-water mark cannot be read: %w", err)
	}
	if m.Time.IsZero() {
		m.Time = time.Now().UTC()
	}
	at, err := target.Mark(ctx)
	if err != nil {
		return err
	}
	m.Epoch, m.Commits, m.Database = at.Epoch.String(), at.Commits, publicURL(c.To)
	return m.write(c.From)
}

// targetHint adds to what hindered a move what to do about it.
func (c *moveCmd) targetHint(err error) error {
	switch kind := symbolon.KindOf(err); {
	case errors.Is(err, symbolon.ErrMoved), errors.Is(err, symbolon.ErrMoving):
		return err
	case kind == symbolon.Denied:
		return mend(err, "make an empty database for it (createdb), and name that; nothing was changed")
	case kind == symbolon.Conflict:
		return mend(err, "a command changed it meanwhile; nothing was lost. Run the same command again")
	case kind == symbolon.Internal:
		return mend(err, "the database in %s is as it was, and is still the one to serve. Run the same command again; if it fails again, keep both and tell us", c.From)
	}
	return c.again(err)
}

// again says that an interrupted move goes on where it was.
func (c *moveCmd) again(err error) error {
	return mend(err, "nothing in %s was changed or lost. Run the same command again: it goes on where it was", c.From)
}

func (c *moveCmd) print(sh *shell, result move.Result) error {
	if result.Already {
		result.Rows = map[string]int64{}
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"moved": result.Rows, "already": result.Already, "database": publicURL(c.To)})
	}
	if result.Already {
		fmt.Fprintln(sh.stdout, "Everything was moved before; nothing was done.")
	} else {
		rows := result.Rows
		fmt.Fprintf(sh.stdout, "Moved %s, %s, %s and all that belongs to them. Both databases were read again, and are the same.\n",
			count(int(rows["account"]), "account", "accounts"), count(int(rows["app"]), "app", "apps"), count(int(rows["connection"]), "connection", "connections"))
	}
	fmt.Fprintf(sh.stdout, "From now on, start the server with --data %s --database '%s'. The root key stays where it is. The database in %s is kept, and is not served any more.\n",
		c.From, publicURL(c.To), c.From)
	return nil
}

// undo lets the database in the directory be served again.
func (c *moveCmd) undo(sh *shell, source *sqlite.DB) error {
	state, err := source.State(sh.ctx)
	if err != nil {
		return err
	}
	if state.MovedTo == "" {
		return fmt.Errorf("the database in %s was not moved", c.From)
	}
	err = sh.confirm(c.Yes, "undo", "going back to the database as it was when it was moved, without what was changed in "+printable(state.MovedTo)+" since,")
	if err != nil {
		return err
	}
	m, err := readMark(c.From)
	if err == nil {
		m.Database, m.Epoch, m.Commits = "", fmt.Sprintf("%x", state.Epoch), state.Commits
		err = m.write(c.From)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = source.Stay(sh.ctx)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"undone": true, "database": state.MovedTo})
	}
	fmt.Fprintf(sh.stdout, "The database in %s may be served again. Stop every server on %s first: what is done there from now on is lost, and what was ended there since the move is alive here.\n", c.From, state.MovedTo)
	return nil
}
