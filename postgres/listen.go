package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// listenPause is how long after a connection broke the next is tried, at most.
	listenPause = time.Second
	// listenCheck is how long nothing may be heard before it is looked whether the
	// connection still stands.
	listenCheck = 30 * time.Second
)

// Listen calls wake soon after anything was committed that Changes will tell, by
// whichever node, and whenever it cannot know that nothing was. It returns when the
// context ends. It has a connection of its own, and makes it anew when it breaks.
//
// Nothing depends on it: whoever polls Changes learns the same, later. So failures
// are worth a line for debugging only. With Options.NoNotify it returns at once.
func (db *DB) Listen(ctx context.Context, wake func()) {
	for !db.options.NoNotify && ctx.Err() == nil {
		err := db.listen(ctx, wake)
		if ctx.Err() != nil {
			return
		}
		db.options.Log.Debug("the database's notifications are not heard; the changes are polled all the same", "cause", err)
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(listenPause)):
		}
	}
}

// listen does so until the connection breaks.
func (db *DB) listen(ctx context.Context, wake func()) (err error) {
	config := db.pool.Config().ConnConfig
	if err := db.hosts.prefer(ctx, config); err != nil {
		return err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, c.Close(closing))
	}()
	if _, err := c.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	for {
		wake() // first for what came before
		if err := db.hear(ctx, c); err != nil {
			return err
		}
	}
}

// hear returns when there is something to hear. An error means that the connection
// is of no use any more.
func (db *DB) hear(ctx context.Context, c *pgx.Conn) error {
	for {
		within, cancel := context.WithTimeout(ctx, listenCheck)
		_, err := c.WaitForNotification(within)
		cancel()
		if err == nil || c.IsClosed() || ctx.Err() != nil {
			return err
		}
		within, cancel = context.WithTimeout(ctx, db.options.Wait)
		err = c.Ping(within)
		cancel()
		if err != nil {
			return err
		}
	}
}
