package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Condition is what an operator may want to know of the server and the database.
type Condition struct {
	// Version is that of the server, as it writes it: 15.18 (Debian …).
	Version string
	// Fsync and FullPageWrites are on unless someone gave durability away.
	Fsync, FullPageWrites bool
	// SynchronousCommit is that of this program's connections: on, remote_write,
	// remote_apply, or local.
	SynchronousCommit string
	// SyncStandbys is the setting synchronous_standby_names, empty when a commit
	// waits for no other server.
	SyncStandbys string
	// MaxConnections is how many connections the server takes, and Connections
	// how many there are.
	MaxConnections, Connections int
	// Ahead is how far the server's clock is ahead of this machine's; negative
	// when it is behind. It is off by at most the time of the question.
	Ahead time.Duration
	// Size is that of the database, in bytes.
	Size int64
}

// Inspect asks the server how it is.
func (db *DB) Inspect(ctx context.Context) (Condition, error) {
	var c Condition
	err := db.read(ctx, "postgres: inspect", func(ctx context.Context, conn *pgxpool.Conn) error {
		var now time.Time
		began := time.Now()
		err := conn.QueryRow(ctx, `
			SELECT current_setting('server_version'), current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
				current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
				current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
				clock_timestamp(), pg_database_size(current_database())`).
			Scan(&c.Version, &c.Fsync, &c.FullPageWrites, &c.SynchronousCommit, &c.SyncStandbys, &c.MaxConnections, &c.Connections, &now, &c.Size)
		took := time.Since(began)
		c.Ahead = now.Sub(began.Add(took / 2))
		return err
	})
	return c, err
}
