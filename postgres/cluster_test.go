package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL of the test's own, in a temporary directory, reached by
// a socket there. A watcher, whose input ends with this process in whichever way,
// stops it and removes the directory.
type cluster struct {
	dir     string
	owner   *syscall.Credential // whom it runs as; nil: as ourselves
	server  *exec.Cmd
	watcher *exec.Cmd
	leash   io.Closer
}

// watch is what the watcher runs: it waits for the end of its input.
const watch = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
	kill -QUIT "$pid" 2>/dev/null
	n=0
	while [ -e "$1/data/postmaster.pid" ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done
fi
rm -rf "$1"
`

var (
	one     *cluster // of all tests; startCluster makes it
	oneOnce sync.Once
	oneErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if one != nil {
		one.remove()
	}
	os.Exit(code)
}

// theCluster returns the cluster that the tests share.
func theCluster(t testing.TB) *cluster {
	t.Helper()
	oneOnce.Do(func() { one, oneErr = newCluster() })
	if oneErr != nil {
		t.Fatal(oneErr)
	}
	return one
}

// program returns the path of a program of PostgreSQL, of the newest version.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("there is no %s: make setup installs PostgreSQL", name)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

func newCluster() (c *cluster, err error) {
	dir, err := os.MkdirTemp("", "symbolon-pg")
	if err != nil {
		return nil, err
	}
	c = &cluster{dir: dir}
	if c.leash, err = c.guard(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer func() {
		if err != nil {
			c.remove()
			c = nil
		}
	}()
	if os.Geteuid() == 0 {
		// PostgreSQL will not run as root.
		if err := c.unprivileged(); err != nil {
			return nil, err
		}
	}
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	making := c.command(initdb, "-D", c.data(), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := making.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := c.start(); err != nil {
		return nil, err
	}
	return c, c.template()
}

// guard starts the watcher. It ends when the leash is closed.
func (c *cluster) guard() (io.Closer, error) {
	c.watcher = exec.Command("sh", "-c", watch, "watch", c.dir)
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	leash, err := c.watcher.StdinPipe()
	if err != nil {
		return nil, err
	}
	return leash, c.watcher.Start()
}

// remove stops the cluster and removes its directory.
func (c *cluster) remove() {
	_ = c.leash.Close()
	if c.server != nil {
		_ = c.server.Wait() // the watcher stops it
	}
	_ = c.watcher.Wait()
}

func (c *cluster) unprivileged() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, int(uid), int(gid))
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+c.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.owner}
	return cmd
}

// start starts the server and returns when it takes connections. Only what keeps
// it small is set: what makes it durable is as by default.
func (c *cluster) start() error {
	name, err := program("postgres")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	c.server = c.command(name, "-D", c.data(), "-k", c.dir, "-c", "listen_addresses=", "-c", "shared_buffers=64MB", "-c", "max_connections=200")
	c.server.Stdout, c.server.Stderr = log, log
	if err := c.server.Start(); err != nil {
		return err
	}
	return c.answers(30 * time.Second)
}

// answers waits until the server takes connections.
func (c *cluster) answers(within time.Duration) error {
	var err error
	for start := time.Now(); time.Since(start) < within; time.Sleep(10 * time.Millisecond) {
		if err = c.exec("SELECT 1"); err == nil {
			return nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return fmt.Errorf("the server does not answer: %w\n%s", err, log)
}

// kill ends the server and all of its processes as a crash does.
func (c *cluster) kill() error {
	// Stopped first, so that it starts no more of them: one that is left over holds
	// the shared memory, and no server starts beside it.
	if err := c.server.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	await := func(pid int, states string) {
		for n := 0; n < 1000 && !strings.ContainsRune(states, stateOf(pid)); n++ {
			time.Sleep(5 * time.Millisecond)
		}
	}
	await(c.server.Process.Pid, "TZ ")
	children, err := childrenOf(c.server.Process.Pid)
	if err != nil {
		return err
	}
	if err := c.server.Process.Kill(); err != nil {
		return err
	}
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	_ = c.server.Wait() // it was killed
	for _, pid := range children {
		await(pid, "ZX ")
	}
	return nil
}

// stateOf returns the letter of a process's state, or a space when it is gone.
func stateOf(pid int) rune {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ' '
	}
	return rune(text[strings.LastIndexByte(string(text), ')')+2])
}

// childrenOf returns the processes that a process has started.
func childrenOf(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var list []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid: the name may hold anything, even a bracket.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if ppid, err := strconv.Atoi(fields[1]); err == nil && ppid == parent {
			pid, err := strconv.Atoi(strings.Split(name, "/")[2])
			if err != nil {
				return nil, err
			}
			list = append(list, pid)
		}
	}
	return list, nil
}

// url returns where a database of the cluster is.
func (c *cluster) url(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("test"), Path: "/" + database, RawQuery: url.Values{"host": {c.dir}}.Encode()}).String()
}

// exec runs statements on the cluster's own database.
func (c *cluster) exec(statements ...string) error { return c.execOn("postgres", statements...) }

func (c *cluster) execOn(database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url(database))
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
	}
	return conn.Close(ctx)
}

// template makes the databases that others are copies of: one as it is, and one
// whose connections are partitioned.
func (c *cluster) template() error {
	if err := c.exec("CREATE DATABASE fresh"); err != nil {
		return err
	}
	db, err := Open(context.Background(), Options{URL: c.url("fresh"), Create: &Create{}})
	if err != nil {
		return err
	}
	return db.Close()
}

// withoutFsync spares the disk until the end of a test that says nothing about
// crashes and makes many databases.
func (c *cluster) withoutFsync(t testing.TB) {
	t.Helper()
	set := func(statement string) {
		if err := c.exec(statement, "SELECT pg_reload_conf()"); err != nil {
			t.Fatal(err)
		}
	}
	set("ALTER SYSTEM SET fsync = off")
	t.Cleanup(func() { set("ALTER SYSTEM RESET fsync") })
}

var databases atomic.Int64

// database makes a copy of a template and returns its name.
func (c *cluster) database(t testing.TB, template string) string {
	t.Helper()
	name := "db" + strconv.FormatInt(databases.Add(1), 10)
	if err := c.exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return name
}
