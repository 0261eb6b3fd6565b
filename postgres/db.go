// Package postgres is the Store for when one machine is outgrown: any number of
// nodes share one PostgreSQL, and the promises of one node hold for all.
//
// What many requests write (Connect, Refresh, End of one connection, Once) is
// gathered: the changes that wait at the same moment become one statement over
// arrays and one commit, and each caller gets its own outcome. Conditions stand
// in the statements, which run at READ COMMITTED; whatever needs more locks rows
// in one order: account, app, connections by id, and the row of feed last. Nothing
// depends on what a node holds in memory.
//
// Whatever happens to the database (restart, failover, a full disk, a lock), calls
// return Busy or Unknown, and the store comes back by itself.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/gather"
)

// Options say which database to open and how.
type Options struct {
	// URL names the database, as in postgres://user:password@host:5432/name. It
	// may name several hosts, as in host1:5432,host2:5432: the one that takes
	// changes is used, as with target_session_attrs=read-write, whatever the URL
	// says of that. A host that answers nothing is waited for a second at most, and
	// less when Wait would not reach for all, unless connect_timeout says how many
	// seconds. What the URL leaves out comes from the environment, as
	// for PostgreSQL's own programs. pool_max_conns bounds the connections for
	// reads and rare changes, 8 when it is not set; the gathered changes take up
	// to 4 beside them.
	URL string
	// Create makes the tables when there are none, and demands its sort of a
	// database that has them. Without it, a database of either sort is opened,
	// and it must have them.
	Create *Create
	// Log receives one line when the store goes away and one when it is back.
	// Nil discards them.
	Log *slog.Logger
	// Clock dates the changes whose methods carry no time. Nil is the
	// machine's.
	Clock symbolon.Clock
	// NoNotify leaves NOTIFY and LISTEN out, which only make others learn of changes
	// sooner: for databases that have neither, and poolers that do not pass them on.
	NoNotify bool
	// Wait is how long a call may take before it gives up, with Busy or with
	// Unknown, whether it waits for its turn, for a connection, for a lock, or for
	// the server or its standby. Zero is three seconds.
	Wait time.Duration
	// Transfer opens a database that is being filled from another as well, and one
	// that was left for another. It is for who carries the data, and serves nobody.
	Transfer bool

	dial pgconn.DialFunc // how tests come between us and the database
}

// Create says what a new database is for.
type Create struct {
	// Sandbox makes a database for trying out. Only such a one takes accounts
	// and apps that are marked as sandbox ones.
	Sandbox bool
}

// DB is an open database. It implements symbolon.Store.
type DB struct {
	options Options
	sandbox bool
	pool    *pgxpool.Pool // for reads and rare changes
	hot     *pgxpool.Pool // one connection for each group, so that no read makes them wait
	hosts   hosts
	away    away
	sweep   sweep
	pulse   pulse
	place   place
	closed  atomic.Bool
	// unlooked is how many bytes of the trail this node has written.
	unlooked atomic.Int64
	held     *held // of who carries the data

	connects  *gather.Group[*request[symbolon.Connect, symbolon.ConnectOutcome]]
	refreshes *gather.Group[*request[symbolon.Refresh, symbolon.RefreshOutcome]]
	ends      *gather.Group[*request[symbolon.End, int]]
	uses      *gather.Group[*request[symbolon.Once, use]]
}

var _ symbolon.Store = (*DB)(nil)

const (
	maxBatch = 512  // changes in one statement
	maxQueue = 4096 // changes of one kind that wait; more are refused with Busy
	groups   = 4    // that gather changes
	maxReads = 8    // connections for reads, unless the URL says otherwise
)

// Open opens the database, after making and migrating its tables where needed.
// Many nodes may do so at once. Errors are of kind NotFound when there are no
// tables and none are to be made, Invalid when the URL is none, Denied when the
// database is of the other sort, of a newer version or of another program, or
// when its data was moved away (symbolon.ErrMoved) or is still on its way here
// (symbolon.ErrMoving), and Busy when it cannot be read now.
func Open(ctx context.Context, options Options) (*DB, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Clock == nil {
		options.Clock = symbolon.NewSteadyClock(time.Time{})
	}
	if options.Wait == 0 {
		options.Wait = 3 * time.Second
	}
	db := &DB{options: options, away: away{log: options.Log}}
	if err := db.openPools(ctx); err != nil {
		return nil, err
	}
	mark, err := db.settleSchema(ctx)
	if err != nil {
		db.closePools()
		return nil, err
	}
	db.sandbox = mark.Sandbox
	db.connects = gather.New(maxBatch, maxQueue, runner(db, opConnect, db.connectAll))
	db.refreshes = gather.New(maxBatch, maxQueue, runner(db, opRefresh, db.refreshAll))
	db.ends = gather.New(maxBatch, maxQueue, runner(db, opEnd, db.endAll))
	db.uses = gather.New(maxBatch, maxQueue, runner(db, opOnce, db.useAll))
	db.sweep.start(db)
	return db, nil
}

// openPools prepares the connections, and opens none.
func (db *DB) openPools(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(db.options.URL)
	if err != nil {
		// Without the cause, which may repeat the password.
		return symbolon.Errorf(symbolon.Invalid, opOpen, "the database's URL cannot be read; it has the form postgres://user:password@host/name")
	}
	if db.options.dial != nil {
		config.ConnConfig.DialFunc = db.options.dial
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout(&config.ConnConfig.Config, db.options.Wait)
	}
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "symbolon"
	}
	if db.options.Transfer {
		config.ConnConfig.RuntimeParams["application_name"] = transferName
	}
	config.ConnConfig.OnNotice = noteAlone
	config.BeforeConnect = db.hosts.prefer
	config.AfterConnect = db.settleSession
	hot := config.Copy()
	hot.MaxConns, hot.MinConns = groups, 0
	hot.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		return errors.Join(db.settleSession(ctx, c), settlePlans(ctx, c))
	}
	if !strings.Contains(db.options.URL, "pool_max_conns") { // the driver's default is the number of processors
		config.MaxConns = maxReads
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return openError(err)
	}
	if db.hot, err = pgxpool.NewWithConfig(ctx, hot); err != nil {
		db.pool.Close()
		return openError(err)
	}
	return nil
}

// settleSession sees to it that a connection keeps our promises, whatever the
// server's defaults: each statement sees what was committed before it, a commit is
// on stable storage when it is answered, and on a standby if there is one to wait
// for, and a warning that it is not arrives. Who waits for a lock gives up before his call
// does, so that it is known that nothing was done. And a transaction whose node says
// nothing any more, because it is frozen or cut off, is ended by the server once no
// call can be waiting for it: others wait for what it has locked.
func (db *DB) settleSession(ctx context.Context, c *pgx.Conn) error {
	if encoding := c.PgConn().ParameterStatus("server_encoding"); encoding != "" && encoding != "UTF8" {
		return symbolon.Errorf(symbolon.Denied, opOpen, "the database's encoding is %s, which cannot hold every name: make one with createdb --encoding UTF8 --template template0", encoding)
	}
	_, err := c.Exec(ctx, `
		SELECT set_config('default_transaction_isolation', 'read committed', false),
			set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
				ELSE current_setting('synchronous_commit') END, false),
			set_config('client_min_messages', 'warning', false),
			set_config('lock_timeout', $1, false),
			set_config('idle_in_transaction_session_timeout', $2, false)`, pgx.QueryExecModeSimpleProtocol,
		strconv.FormatInt(lockWait(db.options.Wait).Milliseconds(), 10), strconv.FormatInt(db.options.Wait.Milliseconds(), 10))
	return err
}

// settlePlans has the gathered statements planned once, and by their form alone:
// each row is found by its key, whatever the tables hold or held when the plan was
// made. PostgreSQL would plan a statement anew for each batch otherwise, which
// costs more than a small batch, or keep a plan that was right while the tables were
// empty. A setting that the server does not know is left out.
func settlePlans(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `
		SELECT set_config(name, value, false)
		FROM pg_settings JOIN (VALUES
			('plan_cache_mode', 'force_generic_plan'),
			('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
			('join_collapse_limit', '1'), -- in the order that is written
			('cpu_tuple_cost', '1')       -- the fewer rows, the better
		) AS ours (name, value) USING (name)`, pgx.QueryExecModeSimpleProtocol)
	return err
}

// lockWait is how long a statement waits for a lock, of the time that a call has.
func lockWait(wait time.Duration) time.Duration { return wait * 3 / 4 }

func (db *DB) closePools() {
	db.hot.Close()
	db.pool.Close()
}

// Close finishes the changes that were accepted, then closes the connections.
// Calls that come later return Busy.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	db.connects.Close()
	db.refreshes.Close()
	db.ends.Close()
	db.uses.Close()
	db.sweep.stop()
	db.letGo()
	db.closePools()
	return nil
}

// read runs a read on a connection of its own. It is tried again when the
// connection turns out to be dead, which a restart does to all that are idle.
func (db *DB) read(ctx context.Context, op string, look func(ctx context.Context, c *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	within, cancel := context.WithTimeout(ctx, db.options.Wait)
	defer cancel()
	err := db.again(within, func() error {
		return onConn(within, db.pool, func(c *pgxpool.Conn) error {
			err := look(within, c)
			if err != nil && c.Conn().IsClosed() && ctx.Err() == nil {
				return errors.Join(errLost, err) // nothing was changed, so it may be tried again
			}
			return err
		})
	})
	db.noticed(ctx, err)
	return readError(op, err)
}

// onConn runs something on a connection of the pool.
func onConn(ctx context.Context, pool *pgxpool.Pool, act func(c *pgxpool.Conn) error) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return errors.Join(errAbsent, err)
	}
	defer c.Release()
	return act(c)
}
