// Package pgtest makes PostgreSQL clusters for tests and measurements: real
// servers, each in a temporary directory of its own, as many as a test needs. They
// can be killed, frozen, started again, followed by a standby and promoted.
//
// Nothing is left behind, however the process ends: each cluster has a watcher, a
// shell whose input ends with this process in whichever way, which then stops the
// server and removes the directory.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options say what a cluster is like. The zero value is a server that is reached
// by a socket in its directory, trusts whoever gets there, and is as durable as
// PostgreSQL is by default.
type Options struct {
	// TCP has the server listen on a free port of 127.0.0.1 as well, for what
	// stands between it and a client, such as a proxy.
	TCP bool
	// Password is asked of whoever comes by TCP. Without it they are trusted.
	Password string
	// NoFsync spares the disk, for what says nothing about crashes.
	NoFsync bool
	// Settings are more of the server's settings, each as name=value.
	Settings []string
}

// Cluster is one server with its data. Its methods are for one goroutine at a
// time, but for URL and Exec.
type Cluster struct {
	options Options
	dir     string
	port    int                 // of the socket's name, and by TCP where that is on
	owner   *syscall.Credential // whom it runs as; nil: as ourselves
	follows string              // the primary's address, of a standby
	server  *exec.Cmd           // nil while it does not run
	ended   chan struct{}       // closed when server has ended
	watcher *exec.Cmd
	leash   io.Closer // the watcher's input
}

const (
	userName    = "test"
	defaultPort = 5432
	patience    = 60 * time.Second // with anything that a server does
)

// watch is what the watcher runs: it waits for the end of its input. The number
// may be another process's, of a server that was killed. One that was frozen takes
// the signal when it goes on, and itself sees to its processes.
const watch = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
	kill -QUIT "$pid" 2>/dev/null
	kill -CONT "$pid" 2>/dev/null
	n=0
	while [ -e "$1/data/postmaster.pid" ] && [ -e "/proc/$pid" ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done
fi
rm -rf "$1"
`

// New makes a cluster and starts it. The error says what is missing when
// PostgreSQL is not installed.
func New(options Options) (*Cluster, error) {
	c := &Cluster{options: options, port: defaultPort}
	return c.make(func() error {
		initdb, err := Program("initdb")
		if err != nil {
			return err
		}
		args := []string{"-D", c.data(), "-U", userName, "--auth-local=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}
		if options.Password == "" {
			args = append(args, "--auth-host=trust")
		} else {
			secret := filepath.Join(c.dir, "password")
			if err := os.WriteFile(secret, []byte(options.Password+"\n"), 0o644); err != nil {
				return err
			}
			args = append(args, "--auth-host=scram-sha-256", "--pwfile="+secret)
		}
		return c.run(initdb, args...)
	})
}

// make makes the directory, has it filled and starts the server.
func (c *Cluster) make(fill func() error) (_ *Cluster, err error) {
	if c.dir, err = os.MkdirTemp("", "symbolon-pg"); err != nil {
		return nil, err
	}
	if err := c.guard(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	defer func() {
		if err != nil {
			c.Remove()
		}
	}()
	if os.Geteuid() == 0 {
		// PostgreSQL will not run as root.
		if err := c.unprivileged(); err != nil {
			return nil, err
		}
	}
	if err := fill(); err != nil {
		return nil, err
	}
	if !c.options.TCP {
		return c, c.Start()
	}
	for range 5 { // someone else may take the port meanwhile
		if c.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = c.Start(); err == nil {
			break
		}
	}
	return c, err
}

// guard starts the watcher. It ends when the leash is closed.
func (c *Cluster) guard() (err error) {
	c.watcher = exec.Command("sh", "-c", watch, "watch", c.dir)
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.leash, err = c.watcher.StdinPipe(); err != nil {
		return err
	}
	return c.watcher.Start()
}

// Remove stops the server and removes its directory.
func (c *Cluster) Remove() {
	if c.server != nil {
		_ = c.Thaw() // one that is frozen takes seconds to end
	}
	_ = c.leash.Close()
	if c.server != nil {
		<-c.ended // the watcher stops it
	}
	_ = c.watcher.Wait()
}

func (c *Cluster) unprivileged() error {
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Program returns the path of one of PostgreSQL's programs, of the newest version
// that is installed.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil && !strings.HasPrefix(path, "/usr/bin/") {
		return path, nil // in /usr/bin, Debian has a wrapper that chooses by its own rules
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		return "", fmt.Errorf("there is no %s: make setup installs PostgreSQL", name)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Dir returns the directory that the cluster is in. Its log is the file log there.
func (c *Cluster) Dir() string { return c.dir }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+c.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.owner}
	return cmd
}

func (c *Cluster) run(name string, args ...string) error {
	if out, err := c.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// Address returns the host and the port by TCP, or "" without TCP.
func (c *Cluster) Address() string {
	if !c.options.TCP {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
}

// URL returns where a database of the cluster is, by the socket.
func (c *Cluster) URL(database string) string { return URL(database, c) }

// URL returns where a database is that any of the clusters may have, tried in
// their order, by their sockets.
func URL(database string, clusters ...*Cluster) string {
	var hosts, ports []string
	for _, c := range clusters {
		hosts, ports = append(hosts, c.dir), append(ports, strconv.Itoa(c.port))
	}
	query := url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}}
	return (&url.URL{Scheme: "postgres", User: url.User(userName), Path: "/" + database, RawQuery: query.Encode()}).String()
}

// TCPURL returns where a database of the cluster is, by TCP and with the password
// if there is one. The addresses are those of proxies before it, or none for its
// own; several are tried in their order.
func (c *Cluster) TCPURL(database string, addresses ...string) string {
	if len(addresses) == 0 {
		addresses = []string{c.Address()}
	}
	who := url.User(userName)
	if c.options.Password != "" {
		who = url.UserPassword(userName, c.options.Password)
	}
	return (&url.URL{Scheme: "postgres", User: who, Host: strings.Join(addresses, ","), Path: "/" + database, RawQuery: "sslmode=disable"}).String()
}

// Exec runs statements on a database, one after the other. The cluster's own is
// called postgres.
func (c *Cluster) Exec(database string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL(database))
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

// databases numbers those that NewDatabase makes.
var databases atomic.Int64

// NewDatabase makes a database of a name of its own and returns the name. It is a
// copy of template, on which nobody works meanwhile, or empty when that is "".
func (c *Cluster) NewDatabase(template string) (string, error) {
	if template == "" {
		template = "template1"
	}
	name := "db" + strconv.FormatInt(databases.Add(1), 10)
	return name, c.Exec("postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
}

// DropDatabase removes a database, whoever is connected to it.
func (c *Cluster) DropDatabase(name string) error {
	return c.Exec("postgres", "DROP DATABASE "+name+" WITH (FORCE)")
}
