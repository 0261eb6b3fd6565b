package main

import (
	"context"
	"fmt"
	"time"

	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/postgres"
)

// checkDatabase looks at a database that could be opened.
func (c *doctorCmd) checkDatabase(ctx context.Context, d *diagnosis, db *database, m databaseMark) {
	kind := "of a real server"
	if m.Sandbox {
		kind = "of a demo"
	}
	if db.file != nil {
		if err := db.file.Check(ctx); err != nil {
			d.fault("database", broken, c.openHint(err))
			return
		}
		d.add("database", fine, "", "whole; %s; %s", kind, count(int(m.Commits), "commit", "commits"))
		return
	}
	is, err := db.server.Inspect(ctx)
	if err != nil {
		d.fault("database", broken, c.openHint(err))
		return
	}
	d.add("database", fine, "", "PostgreSQL %s; %s; %d MB", is.Version, kind, is.Size>>20)
	checkPostgres(d, is)
}

// clocksApart is how far the clocks of two nodes may differ. Clocks that are set by NTP
// differ by a tenth of that.
const clocksApart = oauth.ClocksApart

// checkPostgres looks for settings of the server that break a promise, or will.
func checkPostgres(d *diagnosis, is postgres.Condition) {
	sound := true
	find := func(status, mend, format string, args ...any) {
		sound = false
		d.add("postgres", status, mend, format, args...)
	}
	if !is.Fsync || !is.FullPageWrites {
		find(broken, "set fsync = on and full_page_writes = on in its configuration", "the server does not keep what it has committed when its machine fails: fsync or full_page_writes is off")
	}
	if is.SyncStandbys == "" {
		find(fine, "", "no commit waits for a standby: when this server's disk is lost, so is what was committed since the last backup")
	}
	if is.SyncStandbys != "" && is.SynchronousCommit == "local" {
		find(warning, "set synchronous_commit = on", "there is a synchronous standby and commits do not wait for it, so a failover may lose what was acknowledged")
	}
	if free := is.MaxConnections - is.Connections; free < perNode {
		find(warning, "raise max_connections; a node takes up to "+fmt.Sprint(perNode), "%d of %d connections are taken", is.Connections, is.MaxConnections)
	}
	// Two nodes that differ from the server by half of it differ by no more than that.
	if is.Ahead > clocksApart/2 || is.Ahead < -clocksApart/2 {
		find(warning, "set both clocks by NTP (timedatectl status)", "its clock differs from this machine's by %s; when an account is ended, what a node whose clock is more than %s ahead has just made lives on", is.Ahead.Round(10*time.Millisecond), clocksApart)
	}
	if sound {
		d.add("postgres", fine, "", "commits wait for a standby (%s)", is.SyncStandbys)
	}
}

// perNode is how many connections a node takes at most, with the defaults.
const perNode = 13
