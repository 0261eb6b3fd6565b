package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
)

func TestOpen(t *testing.T) {
	c := theCluster(t)
	try := func(name string, options Options, want symbolon.Kind) {
		t.Helper()
		options.URL = c.URL(name)
		db, err := Open(t.Context(), options)
		if err == nil {
			err = db.Close()
		} else if symbolon.KindOf(err) == want {
			return
		}
		t.Errorf("got %v, want an error of kind %q", err, want)
	}
	try(database(t, c, "template1"), Options{}, symbolon.NotFound)
	try("nowhere", Options{}, symbolon.Busy)
	try(database(t, c, "fresh"), Options{Create: &Create{Sandbox: true}}, symbolon.Denied)
	if err := c.Exec("postgres", "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'"); err != nil {
		t.Fatal(err)
	}
	try("latin", Options{Create: &Create{}}, symbolon.Denied)
	others := database(t, c, "template1")
	if err := c.Exec(others, "CREATE TABLE account (id int)"); err != nil {
		t.Fatal(err)
	}
	try(others, Options{Create: &Create{}}, symbolon.Denied)

	unused := database(t, c, "fresh")
	if err := c.Exec(unused, "UPDATE mark SET sandbox = NULL"); err != nil {
		t.Fatal(err)
	}
	try(unused, Options{}, symbolon.NotFound)
	if db, err := Open(t.Context(), Options{URL: c.URL(unused), Create: &Create{Sandbox: true}}); err != nil || db.Close() != nil {
		t.Error("what was made and not used cannot be used", err)
	}
	for _, half := range []string{"moving = 0", "moved = 'elsewhere'"} {
		left := database(t, c, "fresh")
		if err := c.Exec(left, "UPDATE mark SET "+half); err != nil {
			t.Fatal(err)
		}
		try(left, Options{}, symbolon.Denied)
	}

	_, err := Open(t.Context(), Options{URL: "postgres://jane:secret@host:port/"})
	if symbolon.KindOf(err) != symbolon.Invalid || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// A program opens a database that a later release has migrated, and works there,
// unless that release says that it must know more.
func TestALaterReleaseHasMigrated(t *testing.T) { // C31, C32
	c := theCluster(t)
	name := database(t, c, "fresh")
	migrate := func(version, oldest int) {
		t.Helper()
		err := c.Exec(name, fmt.Sprintf("INSERT INTO symbolon_version (version_id, is_applied) VALUES (%d, true)", version),
			fmt.Sprintf("UPDATE mark SET oldest = %d", oldest))
		if err != nil {
			t.Fatal(err)
		}
	}
	// What later releases may add, in tables that are written and read all the time.
	err := c.Exec(name, "ALTER TABLE connection ADD COLUMN more text, ADD COLUMN most bigint NOT NULL DEFAULT 7", "ALTER TABLE account ADD COLUMN more text",
		"ALTER TABLE app ADD COLUMN more text", "ALTER TABLE change ADD COLUMN more text", "ALTER TABLE once ADD COLUMN more text",
		"CREATE TABLE later (id bigint PRIMARY KEY)", "CREATE INDEX later_index ON connection (expires_at)")
	if err != nil {
		t.Fatal(err)
	}
	migrate(schemaVersion+1, schemaVersion)
	w := seedOn(t, name, 3, Options{})
	if err := w.rotate(0); err != nil {
		t.Error(err)
	}
	if n, err := w.End(t.Context(), symbolon.End{Connection: w.ids[1], Now: time.Now()}); n != 1 || err != nil {
		t.Error(n, err)
	}
	migrate(schemaVersion+2, schemaVersion+1)
	_, err = Open(t.Context(), Options{URL: c.URL(name), Create: &Create{}})
	if symbolon.KindOf(err) != symbolon.Denied || !strings.Contains(err.Error(), fmt.Sprint(schemaVersion+2)) {
		t.Errorf("got %v", err)
	}
}

func TestManyNodesMakeTheTables(t *testing.T) { // C30
	c := theCluster(t)
	url := c.URL(database(t, c, "template1"))
	var mu sync.Mutex
	epochs := make(map[Epoch]int)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			db, err := Open(context.Background(), Options{URL: url, Create: &Create{Sandbox: true}, Wait: 20 * time.Second})
			if err != nil {
				t.Error(err)
				return
			}
			mark, err := db.Mark(t.Context())
			if err != nil || !mark.Sandbox {
				t.Errorf("%+v, %v", mark, err)
			}
			mu.Lock()
			epochs[mark.Epoch]++
			mu.Unlock()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(epochs) != 1 {
		t.Errorf("one database with the epochs %v", epochs)
	}
}

func TestSandboxDataStaysApart(t *testing.T) {
	w := seed(t, 0, Options{})
	err := w.PutAccount(t.Context(), symbolon.Account{ID: "x", Username: "x", Sandbox: true})
	if symbolon.KindOf(err) != symbolon.Denied {
		t.Error(err)
	}
	if err := w.PutApp(t.Context(), symbolon.App{ID: "x", Sandbox: true}); symbolon.KindOf(err) != symbolon.Denied {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	w := seed(t, 1, Options{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.rotate(0); symbolon.KindOf(err) != symbolon.Busy {
		t.Error(err)
	}
	if _, err := w.Apps(t.Context(), symbolon.AppQuery{Limit: 1}); symbolon.KindOf(err) != symbolon.Busy {
		t.Error(err)
	}
}

// What a server's defaults would take from our promises is set right.
func TestSessionsAreDurable(t *testing.T) { // C4
	c := theCluster(t)
	name := database(t, c, "fresh")
	err := c.Exec("postgres", "ALTER DATABASE "+name+" SET synchronous_commit = off",
		"ALTER DATABASE "+name+" SET default_transaction_isolation = 'repeatable read'")
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, c.URL(name), Options{})
	err = db.write(t.Context(), "test", func(tx *transaction) error {
		var durable, isolation string
		err := tx.row(`SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')`, nil, &durable, &isolation)
		if durable != "on" || isolation != "read committed" {
			t.Errorf("synchronous_commit is %s, the isolation %s", durable, isolation)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The table of connections may be partitioned by the id, with no change to the
// program.
func TestPartitioned(t *testing.T) {
	c := theCluster(t)
	withoutFsync(t, c)
	name := database(t, c, "fresh")
	err := c.Exec(name,
		`ALTER TABLE connection RENAME TO whole`,
		`CREATE TABLE connection (LIKE whole, PRIMARY KEY (id)) PARTITION BY HASH (id)`,
		`CREATE TABLE connection_0 PARTITION OF connection FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 80)`,
		`CREATE TABLE connection_1 PARTITION OF connection FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (fillfactor = 80)`,
		`DROP TABLE whole`,
		`CREATE INDEX ON connection (account_no)`,
		`CREATE INDEX ON connection (app_no)`)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, name)
}

// A refresh changes no index and stays in its page.
func TestARefreshStaysInItsPage(t *testing.T) {
	const connections, passes = 5000, 2
	w := seed(t, connections, Options{})
	var next atomic.Int64
	var all sync.WaitGroup
	for range 50 { // all over the table
		all.Go(func() {
			for n := next.Add(1); n <= passes*connections; n = next.Add(1) {
				if err := w.rotate(int(n * 7919 % connections)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	c := theCluster(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, c.URL(w.name))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var updates, hot int64
	for start := time.Now(); updates < passes*connections && time.Since(start) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		w.hot.Reset() // a server process tells of what it did at its end, at the latest
		err := conn.QueryRow(ctx, `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'connection'`).Scan(&updates, &hot)
		if err != nil {
			t.Fatal(err)
		}
	}
	if updates != passes*connections || hot < updates*98/100 {
		t.Fatalf("%d updates, %d of them in their page", updates, hot)
	}
	t.Logf("%d updates, %d of them in their page", updates, hot)
}
