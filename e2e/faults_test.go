//go:build linux

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to lock the database as another process would
)

// unavailable holds an answer to what a store that is away may cause: 503 with
// Retry-After, as JSON.
func unavailable(t testing.TB, r *reply) {
	t.Helper()
	refused(t, r, http.StatusServiceUnavailable, "temporarily_unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// C7, RFC6749-5.2-f, SYM-RT-5: the disk is full. Writes get 503, nothing is
// lost, and the server recovers by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	mount := newDir()
	must(t, os.MkdirAll(mount, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted here: %s", out)
	}
	t.Cleanup(func() { // the last thing: servers on it are stopped by then
		if found := leaks(mount); len(found) > 0 {
			t.Errorf("%q", found)
		}
		if out, err := exec.Command("umount", mount).CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
	})
	d := startDemo(t, filepath.Join(mount, "data"))
	a := d.theApp()
	var held []tokens
	for range 8 {
		held = append(held, a.connect(t))
	}
	filler := filepath.Join(mount, "filler")
	f, err := os.Create(filler)
	must(t, err)
	io.Copy(f, zeros{}) //nolint:errcheck // until the disk is full
	must(t, f.Close())

	// Writes that need room fail, sooner or later: the log has some slack.
	full := false
	for i := 0; i < 3000 && !full; i++ {
		h := &held[i%len(held)]
		r := a.refresh(t, h.refresh)
		switch r.Status {
		case 200:
			*h = r.tokens()
		default:
			unavailable(t, r)
			full = true
		}
	}
	if !full {
		t.Fatal("3000 writes went to a full disk")
	}
	code := a.code(t) // gives a code: nothing is written for it
	for range 5 {
		if r := a.s.post(t, "/token", a.redemption(code)); r.Status != 200 {
			unavailable(t, r)
		} else {
			code = a.code(t)
		}
		if r := d.info(t, held[0].access); r.Status != 200 {
			unavailable(t, r)
		}
	}
	if r := d.get(t, "/healthz"); r.Status != 200 {
		t.Errorf("/healthz: %d", r.Status)
	}
	if n := strings.Count(d.logText(), `"level":"ERROR"`); n == 0 || n > 10 {
		t.Errorf("the log has %d errors, want about one\n%s", n, d.logTail())
	}
	must(t, os.Remove(filler))
	if !eventually(func() bool { return a.refresh(t, held[0].refresh).Status == 200 }) {
		t.Fatalf("it does not recover\n%s", d.logTail())
	}
	for i, h := range held {
		r := a.refresh(t, h.refresh)
		if r.Status != 200 {
			t.Fatalf("connection %d was lost: %d %s", i, r.Status, r.Body)
		}
		a.alive(t, r.tokens())
	}
	a.alive(t, a.connect(t))
}

// The database is locked by another process.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	tk := a.connect(t)
	code := a.code(t)
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "symbolon.db"))
	must(t, err)
	defer db.Close()
	c, err := db.Conn(context.Background())
	must(t, err)
	defer c.Close()
	_, err = c.ExecContext(context.Background(), "PRAGMA busy_timeout=5000; BEGIN IMMEDIATE")
	must(t, err)
	began := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			unavailable(t, a.refresh(t, tk.refresh))
			unavailable(t, d.post(t, "/token", a.redemption(code)))
			unavailable(t, d.get(t, "/invalidate", bearer(tk.access)))
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("24 refusals took %v", took)
	}
	if r := d.info(t, tk.access); r.Status != 200 {
		unavailable(t, r)
	}
	if n := strings.Count(d.logText(), `"level":"ERROR"`); n > 10 {
		t.Errorf("the log has %d errors, want about one\n%s", n, d.logTail())
	}
	_, err = c.ExecContext(context.Background(), "ROLLBACK")
	must(t, err)
	if !eventually(func() bool { return a.refresh(t, tk.refresh).Status == 200 }) {
		t.Fatalf("it does not recover\n%s", d.logTail())
	}
	a.alive(t, tk)
	a.alive(t, granted(t, d.post(t, "/token", a.redemption(code))))
}

// C28: a damaged database is refused at the start, in plain words.
func TestDatabaseDamaged(t *testing.T) {
	t.Parallel()
	dir := newDir()
	d := startDemo(t, dir)
	a := d.theApp()
	for range 50 {
		a.connect(t)
	}
	if status := d.stop(); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	path := filepath.Join(dir, "symbolon.db")
	good, err := os.ReadFile(path)
	must(t, err)
	size := len(good)
	for name, damage := range map[string]func(b []byte) []byte{
		"no database at all": func(b []byte) []byte { return []byte(strings.Repeat("this is no database\n", 500)) },
		"its header":         func(b []byte) []byte { copy(b[16:], "\xff\xff\xff\xff\xff\xff\xff\xff"); return b },
		"its second page":    func(b []byte) []byte { clear(b[4096:8192]); b[4096] = 0x77; return b },
		"cut in half":        func(b []byte) []byte { return b[:size/2] },
		"every page":         func(b []byte) []byte { return scratchPages(b) },
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(path, damage(append([]byte(nil), good...)), 0o600))
			os.Remove(path + "-wal")
			os.Remove(path + "-shm")
			stdout, stderr, status := commandFor(t, 30*time.Second, "demo", "--listen", "127.0.0.1:0", "--data", dir, "--json")
			if status <= 0 || stdout != "" {
				t.Errorf("exit status %d, printed %q", status, stdout)
			}
			if !strings.Contains(stderr, "symbolon: error: ") || strings.Contains(stderr, "goroutine ") {
				t.Errorf("it says %q", stderr)
			}
		})
	}
	must(t, os.WriteFile(path, good, 0o600))
	d = startDemo(t, dir)
	a.s = d
	a.alive(t, a.connect(t))
}

// scratchPages overwrites the middle of each page but the first.
func scratchPages(b []byte) []byte {
	for at := 4096; at+4096 <= len(b); at += 4096 {
		copy(b[at+100:], strings.Repeat("\xa5", 64))
		copy(b[at:], "\x0d\x00\x00\x7f\xff")
	}
	return b
}

// commandFor runs the program, which must end by itself in time.
func commandFor(t testing.TB, bound time.Duration, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = environ()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run() //nolint:errcheck // the status tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// A root key that is missing, unreadable or another's is refused, and never
// replaced by a new one.
func TestRootKeyMissing(t *testing.T) {
	t.Parallel()
	dir, other := newDir(), newDir()
	d := startDemo(t, dir)
	a := d.theApp()
	tk := a.connect(t)
	d.stop()
	startDemo(t, other).stop()
	path := filepath.Join(dir, "root.key")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("root.key: %v %v", info, err)
	}
	good, err := os.ReadFile(path)
	must(t, err)
	foreign, err := os.ReadFile(filepath.Join(other, "root.key"))
	must(t, err)
	for name, spoil := range map[string]func() error{
		"missing": func() error { return os.Remove(path) },
		"empty":   func() error { return os.WriteFile(path, nil, 0o600) },
		"garbage": func() error { return os.WriteFile(path, []byte("garbage\n"), 0o600) },
		"cut":     func() error { return os.WriteFile(path, good[:len(good)-5], 0o600) },
		"foreign": func() error { return os.WriteFile(path, foreign, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			must(t, spoil())
			before, _ := os.ReadFile(path)
			stdout, stderr, status := commandFor(t, 30*time.Second, "demo", "--listen", "127.0.0.1:0", "--data", dir, "--json")
			if status <= 0 || stdout != "" || !strings.Contains(stderr, "symbolon: error: ") {
				t.Errorf("exit status %d, printed %q and %q", status, stdout, stderr)
			}
			after, _ := os.ReadFile(path)
			if string(before) != string(after) {
				t.Error("the root key file was changed")
			}
		})
	}
	must(t, os.WriteFile(path, good, 0o600))
	d = startDemo(t, dir)
	a.s = d
	a.alive(t, tk)
}

// C43: no one reads the log. Requests go on.
func TestLogBlocked(t *testing.T) {
	t.Parallel()
	dir := newDir()
	// A pipe that no one reads, and that is full from the start.
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	fd := int(write.Fd()) // once: asking for it makes the pipe block again
	must(t, syscall.SetNonblock(fd, true))
	for err == nil {
		_, err = syscall.Write(fd, make([]byte, 4096))
	}
	must(t, syscall.SetNonblock(fd, false))
	d := launchDemoLog(t, dir, write)
	t.Cleanup(func() { d.kill() })
	a := d.theApp()
	tk := a.connect(t)
	began := time.Now()
	for range rounds(500, 20_000) {
		r := a.refresh(t, tk.refresh)
		if r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		tk = r.tokens()
		refused(t, d.info(t, "x"), 401, "invalid_token")
	}
	t.Logf("%d requests in %v", 2*rounds(500, 20_000), time.Since(began))
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.gone:
		if d.err != nil {
			t.Errorf("%v", d.err)
		}
	case <-time.After(30 * time.Second):
		t.Error("with a blocked log it does not stop")
	}
}

// The data directory belongs to one server at a time.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	d := demo(t)
	stdout, stderr, status := commandFor(t, 30*time.Second, "demo", "--listen", "127.0.0.1:0", "--data", d.dir, "--json")
	if status <= 0 || stdout != "" || !strings.Contains(stderr, "symbolon: hint: ") {
		t.Errorf("exit status %d, printed %q and %q", status, stdout, stderr)
	}
	stdout, stderr, status = commandFor(t, 30*time.Second, "demo", "--listen", strings.TrimPrefix(d.base, "http://"), "--data", newDir(), "--json")
	if status <= 0 || stdout != "" || !strings.Contains(stderr, "listen") {
		t.Errorf("on a port that is taken: exit status %d, printed %q and %q", status, stdout, stderr)
	}
	if fmt.Sprint(d.get(t, "/healthz").Status) != "200" {
		t.Error("the first does not answer")
	}
}
