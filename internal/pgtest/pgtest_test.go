package pgtest

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"testing"
	"time"
)

func start(t *testing.T, options Options) *Cluster {
	t.Helper()
	c, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClusterComesAndGoes(t *testing.T) {
	c := start(t, Options{TCP: true, Password: "right", NoFsync: true, Settings: []string{"work_mem=5MB"}})
	name, err := c.NewDatabase("")
	must(t, err)
	must(t, c.Exec(name, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)"))
	who, err := url.Parse(c.TCPURL(name))
	must(t, err)
	if password, _ := who.User.Password(); password != "right" || who.Host != c.Address() {
		t.Errorf("the URL is %s", who)
	}
	for _, how := range []func() error{c.Kill, c.Stop} {
		must(t, how())
		if err := c.Exec(name, "SELECT 1"); err == nil {
			t.Fatal("it answers, and was ended")
		}
		must(t, c.Start())
		must(t, c.Exec(name, "SELECT 1 / count(*) FROM kept"))
	}
	must(t, c.DropDatabase(name))
	server := c.server.Process.Pid
	must(t, c.Freeze())
	c.Remove()
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) || stateOf(server) != ' ' {
		t.Errorf("the directory: %v; the server is in state %q", err, stateOf(server))
	}
}

func TestAStandbyHasWhatWasCommitted(t *testing.T) {
	primary := start(t, Options{})
	standby, err := primary.Standby("second")
	must(t, err)
	t.Cleanup(standby.Remove)
	must(t, primary.Synchronous("second"))
	must(t, primary.Exec("postgres", "CREATE TABLE kept AS SELECT 7 AS n"))
	if err := standby.Exec("postgres", "INSERT INTO kept VALUES (8)"); err == nil {
		t.Error("the standby takes changes")
	}
	must(t, standby.Freeze())
	done := make(chan error, 1)
	go func() { done <- primary.Exec("postgres", "INSERT INTO kept VALUES (9)") }()
	select {
	case err := <-done:
		t.Errorf("a commit did not wait for the standby: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	must(t, standby.Thaw())
	must(t, <-done)
	must(t, primary.Kill())
	must(t, standby.Promote())
	must(t, standby.Exec("postgres", "SELECT 1 / (count(*) - 1) FROM kept", "INSERT INTO kept VALUES (10)"))
}
