package postgres

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/pgtest"
)

var (
	one     *pgtest.Cluster // of all tests; theCluster makes it
	oneOnce sync.Once
	oneErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if one != nil {
		one.Remove()
	}
	os.Exit(code)
}

// theCluster returns the cluster that the tests share. It has the template fresh,
// a database that is as Open makes it.
func theCluster(t testing.TB) *pgtest.Cluster {
	t.Helper()
	oneOnce.Do(func() {
		if one, oneErr = pgtest.New(pgtest.Options{}); oneErr == nil {
			oneErr = template(one)
		}
	})
	if oneErr != nil {
		t.Fatal(oneErr)
	}
	return one
}

// template makes the database that others are copies of.
func template(c *pgtest.Cluster) error {
	if err := c.Exec("postgres", "CREATE DATABASE fresh"); err != nil {
		return err
	}
	db, err := Open(context.Background(), Options{URL: c.URL("fresh"), Create: &Create{}})
	if err != nil {
		return err
	}
	return db.Close()
}

// withoutFsync spares the disk until the end of a test that says nothing about
// crashes and makes many databases.
func withoutFsync(t testing.TB, c *pgtest.Cluster) {
	t.Helper()
	set := func(statement string) {
		if err := c.Exec("postgres", statement, "SELECT pg_reload_conf()"); err != nil {
			t.Fatal(err)
		}
	}
	set("ALTER SYSTEM SET fsync = off")
	t.Cleanup(func() { set("ALTER SYSTEM RESET fsync") })
}

// database makes a copy of a template, until the end of the test, and returns its
// name.
func database(t testing.TB, c *pgtest.Cluster, template string) string {
	t.Helper()
	name, err := c.NewDatabase(template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.DropDatabase(name); err != nil {
			t.Error(err)
		}
	})
	return name
}
