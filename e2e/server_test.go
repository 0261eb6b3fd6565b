//go:build linux

// Package e2e tests the built program from outside: by HTTP and by the command
// line, and by nothing else. TestMain builds it once, with the race detector
// inside it. Every server of the suite writes its log to a file, and every
// secret that a test meets is noted; when all tests are done, no log and no
// data directory may hold any of them.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the path of the program under test.
var program string

// scratch holds the program, the logs and the data directories of the suite.
var scratch string

// long is set by SYMBOLON_LONG=1: the tests then wait out what takes minutes.
var long = os.Getenv("SYMBOLON_LONG") == "1"

func needLong(t *testing.T) {
	t.Helper()
	if !long {
		t.Skip("takes long; SYMBOLON_LONG=1 runs it")
	}
}

func TestMain(m *testing.M) { os.Exit(suite(m)) }

func suite(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "symbolon-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	// SYMBOLON_PROGRAM names a program that is built already.
	if program = os.Getenv("SYMBOLON_PROGRAM"); program == "" {
		program = filepath.Join(scratch, "symbolon")
		// SQLite itself is not watched, as in the Makefile, which says why.
		build := exec.Command("go", "build", "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-o", program, "../cmd/symbolon")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the program under test:", err)
			return 1
		}
	}
	// A test waits for its server most of the time, so more of them run at once
	// than there are processors.
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if n, err := strconv.Atoi(parallel.Value.String()); err == nil && n < 4 && n == runtime.GOMAXPROCS(0) {
		if err := flag.Set("test.parallel", "4"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	sharedDemo.stop()
	if postgres.cluster != nil {
		postgres.cluster.Remove()
	}
	if found := leaks(scratch); len(found) > 0 {
		fmt.Fprintln(os.Stderr, "--- FAIL: what must not be in a log or a data directory is there:")
		for _, f := range found {
			fmt.Fprintln(os.Stderr, "   ", f)
		}
		code = max(code, 1)
	}
	return code
}

// greeting is the one line of JSON that demo prints.
type greeting struct {
	BaseURL      string         `json:"base_url"`
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret"`
	RedirectURIs []string       `json:"redirect_uris"`
	Accounts     []demoAccount  `json:"accounts"`
	Rest         map[string]any `json:"-"`
}

type demoAccount struct {
	Username string `json:"username"`
	Password string `json:"password"`
	User     string `json:"user"`
	ID       string `json:"id"`
}

// server is the program, running on a data directory.
type server struct {
	dir   string
	base  string   // where it answers, without a final slash
	greet greeting // of a demo

	cmd    *exec.Cmd
	log    string        // the file of its standard error
	stdout *bytes.Buffer // what it printed after the greeting; read after gone
	gone   chan struct{} // closed when the process has ended
	err    error         // of Wait; read after gone
}

var serverCount struct {
	sync.Mutex
	n int
}

// newDir returns the path of a data directory that does not exist yet. It is
// kept until the suite ends, to be searched for secrets.
func newDir() string {
	serverCount.Lock()
	defer serverCount.Unlock()
	serverCount.n++
	return filepath.Join(scratch, fmt.Sprintf("data-%d", serverCount.n))
}

func newLog() string { return newDir() + ".log" }

// environ is the environment of the program: ours without its settings. The
// race detector would sleep a second at the end of each command.
func environ() []string {
	env := []string{"GORACE=atexit_sleep_ms=0"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYMBOLON_") {
			env = append(env, e)
		}
	}
	return env
}

// moreEnviron has by data directory what else is in the environment of the
// program.
var moreEnviron sync.Map // string → []string

// otherProgram has by data directory what runs there in place of the program under
// test.
var otherProgram sync.Map // string → string

// start starts the program with a long-running command. Its standard error is
// log, which is closed; or a file of its own when that is nil.
func start(t testing.TB, dir string, log *os.File, args ...string) (*server, *bufio.Reader) {
	t.Helper()
	s := &server{dir: dir, stdout: new(bytes.Buffer), gone: make(chan struct{})}
	if log == nil {
		s.log = newLog()
		var err error
		log, err = os.Create(s.log)
		must(t, err)
	}
	defer log.Close()
	name := program
	if other, ok := otherProgram.Load(dir); ok {
		name = other.(string)
	}
	s.cmd = exec.Command(name, args...)
	s.cmd.Env = environ()
	if more, ok := moreEnviron.Load(dir); ok {
		s.cmd.Env = append(s.cmd.Env, more.([]string)...)
	}
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	must(t, s.cmd.Start())
	return s, bufio.NewReader(out)
}

// watch collects what the program prints from now on, and its end.
func (s *server) watch(out *bufio.Reader) {
	go func() {
		io.Copy(s.stdout, out) //nolint:errcheck // ends with the process
		s.err = s.cmd.Wait()
		close(s.gone)
	}()
}

// startDemo starts a demo on a data directory, new or used before. It is
// stopped when the test ends.
func startDemo(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	s := launchDemo(t, dir, args...)
	t.Cleanup(func() { s.stop() })
	return s
}

func launchDemo(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	return greeted(t, dir, nil, args)
}

// launchDemoLog starts a demo whose standard error is a given file.
func launchDemoLog(t testing.TB, dir string, log *os.File) *server {
	t.Helper()
	return greeted(t, dir, log, nil)
}

// greeted starts a demo and waits for its greeting.
func greeted(t testing.TB, dir string, log *os.File, args []string) *server {
	t.Helper()
	s, out := start(t, dir, log, append([]string{"demo", "--listen", "127.0.0.1:0", "--data", dir, "--json"}, args...)...)
	line := make(chan string, 1)
	go func() {
		text, _ := out.ReadString('\n')
		line <- text
		s.watch(out)
	}()
	select {
	case text := <-line:
		if err := json.Unmarshal([]byte(text), &s.greet); err != nil {
			<-s.gone
			t.Fatalf("demo printed %q instead of a line of JSON: %v\n%s", text, err, s.logTail())
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("demo printed nothing in 30 s\n%s", s.dump())
	}
	s.base = s.greet.BaseURL
	secret(kindSecret, s.greet.ClientSecret)
	for _, a := range s.greet.Accounts {
		secret(kindSecret, a.Password)
	}
	return s
}

// startServe starts a server for real use on a loopback port of its own, and
// waits until it is ready. Args come after serve, listen and data.
func startServe(t testing.TB, dir, listen string, client *http.Client, base string, args ...string) *server {
	t.Helper()
	return startServeUntil(t, "/readyz", dir, listen, client, base, args...)
}

// startServeUntil waits until a path is answered 200.
func startServeUntil(t testing.TB, path, dir, listen string, client *http.Client, base string, args ...string) *server {
	t.Helper()
	s, out := start(t, dir, nil, append([]string{"serve", "--listen", listen, "--data", dir, "--base-url", base}, args...)...)
	s.watch(out)
	t.Cleanup(func() { s.stop() })
	s.base = base
	for until := time.Now().Add(30 * time.Second); ; {
		res, err := client.Get(base + path)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return s
			}
		}
		select {
		case <-s.gone:
			t.Fatalf("serve ended: %v\n%s", s.err, s.logTail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			t.Fatalf("serve does not answer: %v\n%s", err, s.logTail())
		}
	}
}

// freePort returns a loopback address on which nothing listens, the same to no two tests.
// The port is none of those that the system gives to whoever asks for any, of which
// another server may get it before this one does.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 12_000+mathrand.IntN(20_000))
		if _, taken := portsTaken.LoadOrStore(address, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

var portsTaken sync.Map

// stop ends the server with SIGTERM, once, and returns its exit status. A
// server that will not go is killed, and its status is -1.
func (s *server) stop() int {
	if s == nil || s.cmd == nil {
		return 0
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.gone:
	case <-time.After(30 * time.Second):
		s.kill()
	}
	var exit *exec.ExitError
	switch {
	case s.err == nil:
		return 0
	case errors.As(s.err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// kill ends the server with SIGKILL.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.gone
}

// dump ends a server that hangs, and returns its log with what each of its
// goroutines was doing.
func (s *server) dump() string {
	s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.gone:
	case <-time.After(10 * time.Second):
		s.kill()
	}
	return s.logText()
}

func (s *server) logText() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (s *server) logTail() string {
	text := s.logText()
	if len(text) > 4000 {
		text = "…" + text[len(text)-4000:]
	}
	return "its log:\n" + text
}

// sharedDemo is the demo of every test that does not hurt it.
var sharedDemo shared

type shared struct {
	once sync.Once
	s    *server
}

func (d *shared) stop() { d.s.stop() }

// demo returns the shared demo.
func demo(t testing.TB) *server {
	t.Helper()
	sharedDemo.once.Do(func() { sharedDemo.s = launchDemo(t, newDir()) })
	if sharedDemo.s == nil {
		t.Fatal("the shared demo did not start")
	}
	return sharedDemo.s
}

// command runs the program to its end and returns what it printed.
func command(t testing.TB, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environ()
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// cli runs a command on the server's data directory, which must succeed, and
// reads the JSON that it prints into v, unless that is nil.
func (s *server) cli(t testing.TB, stdin string, v any, args ...string) {
	t.Helper()
	args = append(args, "--data", s.dir)
	if v != nil {
		args = append(args, "--json")
	}
	stdout, stderr, status := command(t, stdin, args...)
	if status != 0 {
		t.Fatalf("symbolon %s: exit %d\n%s", strings.Join(args, " "), status, stderr)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(stdout), v); err != nil {
			t.Fatalf("symbolon %s printed %q: %v", strings.Join(args, " "), stdout, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
