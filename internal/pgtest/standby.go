package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby makes a copy of the running cluster that follows it, by streaming, and
// starts it. The name is how the primary knows it: see Synchronous. The options
// are the primary's.
func (c *Cluster) Standby(name string) (*Cluster, error) {
	primary := fmt.Sprintf("host=%s port=%d user=%s", c.dir, c.port, userName)
	s := &Cluster{options: c.options, port: defaultPort, follows: primary + " application_name=" + name}
	s, err := s.make(func() error {
		program, err := Program("pg_basebackup")
		if err != nil {
			return err
		}
		if err := s.run(program, "-d", primary, "-D", s.data(), "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
			return err
		}
		// What was set by ALTER SYSTEM was for the primary: for whom it waits.
		return errors.Join(
			os.WriteFile(filepath.Join(s.data(), "postgresql.auto.conf"), nil, 0o600),
			os.WriteFile(filepath.Join(s.data(), "standby.signal"), nil, 0o644))
	})
	if err != nil {
		return nil, err
	}
	if err := c.until(`SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '` + name + `')`); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// Synchronous has every commit wait until one of the standbys of these names has
// it on stable storage, or of none. It returns when that is in force and, unless
// the standby does not run, when the standby has caught up.
func (c *Cluster) Synchronous(standbys ...string) error {
	names := ""
	for i, name := range standbys {
		if i > 0 {
			names += ", "
		}
		names += name
	}
	if names != "" {
		names = "ANY 1 (" + names + ")"
	}
	if err := c.Exec("postgres", "ALTER SYSTEM SET synchronous_standby_names = '"+names+"'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return c.until(`SELECT current_setting('synchronous_standby_names') = '` + names + `' AND NOT EXISTS (
		SELECT 1 FROM pg_stat_replication WHERE sync_state <> '` + map[bool]string{true: "async", false: "quorum"}[names == ""] + `')`)
}

// Promote makes a primary of the standby and returns when it takes changes.
func (c *Cluster) Promote() error {
	return c.Exec("postgres", "SELECT pg_promote(true, "+strconv.Itoa(int(patience/time.Second))+")", "CREATE TEMP TABLE takes_changes ()")
}

// until waits until a condition holds.
func (c *Cluster) until(condition string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		holds, err := c.holds(ctx, condition)
		if err != nil || holds {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it never came true: %s", condition)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// holds asks on a connection of its own, which knows the settings of now.
func (c *Cluster) holds(ctx context.Context, condition string) (bool, error) {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return false, err
	}
	var holds bool
	err = conn.QueryRow(ctx, condition).Scan(&holds)
	return holds, errors.Join(err, conn.Close(ctx))
}
