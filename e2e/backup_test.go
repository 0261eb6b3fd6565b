//go:build linux

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// C36, a backup is made while every connection is refreshed, and the server is
// killed later on. Restored, in a new directory or in the same, every connection of
// the backup goes on with what its app holds, and the server says what was lost.
func TestRestoreOfABackupUnderLoad(t *testing.T) {
	t.Parallel()
	dir, backup := newDir(), newDir()
	d := startDemo(t, dir)
	a := d.theApp()
	holders := make([]*holder, 48)
	for i := range holders {
		holders[i] = &holder{held: a.connect(t).refresh}
		if i%4 == 0 {
			holders[i].rest = 100 * time.Millisecond
		}
	}
	idle := a.connect(t) // not refreshed after the backup
	var done atomic.Int64
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		refreshing(a, d.base, holders, stop, &done)
	}()
	time.Sleep(200 * time.Millisecond)
	before := done.Load()
	var answer struct {
		File  string
		Bytes int64
	}
	start := time.Now()
	d.cli(t, "", &answer, "backup", backup)
	took, meanwhile := time.Since(start), done.Load()-before
	if info, err := os.Stat(backup); err != nil || info.Size() != answer.Bytes || info.Mode().Perm() != 0o600 {
		t.Fatalf("the backup: %v, %v, answered %+v", info, err, answer)
	}
	ended := a.connect(t)
	time.Sleep(1500 * time.Millisecond) // the mark is written once a second
	since := done.Load() - before - meanwhile
	d.kill()
	close(stop)
	<-over
	t.Logf("%d refreshes before the backup, %d in the %v that it took, %d after it", before, meanwhile, took.Round(time.Millisecond), since)
	if before == 0 || meanwhile == 0 || since < 48 {
		t.Error("the load was none")
	}

	// In a new directory, with the root key and what a demo remembers.
	other := newDir()
	if stdout, stderr, status := command(t, "", "restore", backup, "--data", other); status != 0 || !strings.Contains(stdout, "put the one that was made with this data at "+filepath.Join(other, "root.key")) {
		t.Fatalf("restore: exit %d\n%s%s", status, stdout, stderr)
	}
	for _, name := range []string{"root.key", "sandbox.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(other, name), text, 0o600))
	}
	goesOn := func(dir, warning string) {
		t.Helper()
		r := startDemo(t, dir)
		defer r.stop()
		at := r.theApp()
		for i, h := range holders {
			if h.fault != "" {
				t.Fatalf("client %d: %s", i, h.fault)
			}
			next := at.refresh(t, h.held)
			if next.Status != 200 {
				t.Fatalf("client %d is stranded: %d %s", i, next.Status, next.Body)
			}
			// The lost answer, as ever, and no second successor.
			if again := at.refresh(t, h.held); again.Status != 200 || again.tokens().refresh != next.tokens().refresh {
				t.Fatalf("client %d: sent again it got %d %s", i, again.Status, again.Body)
			}
			if got := r.info(t, next.tokens().access); got.Status != 200 {
				t.Fatalf("client %d: its access token is refused: %d", i, got.Status)
			}
		}
		granted(t, at.refresh(t, idle.refresh))
		// What was born after the backup is not known any more.
		refused(t, at.refresh(t, ended.refresh), 400, "invalid_grant")
		text := r.logText()
		if caught := strings.Count(text, "newer than the store"); caught < 40 {
			t.Errorf("only %d connections had to be caught up with", caught)
		}
		if !strings.Contains(text, warning) {
			t.Errorf("the server does not say that %q", warning)
		}
	}
	goesOn(other, "The high-water mark is missing beside a database that was in use")

	// In the same directory: what was there is kept.
	var said struct {
		Kept    string
		RootKey string `json:"root_key"`
	}
	d.cli(t, "", &said, "restore", backup, "--replace")
	if said.RootKey != "there" || !strings.HasPrefix(said.Kept, filepath.Join(dir, "symbolon.db.replaced-")) {
		t.Errorf("restore said %+v", said)
	}
	goesOn(dir, "The database is an older copy of the one that was last used here")
}

// C30, a data directory is moved to PostgreSQL by a process that is killed again and
// again. Nobody serves what is half moved; in the end every connection goes on.
func TestMoveKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir, database := newDir(), newDatabase(t)
	d := startDemo(t, dir)
	a := d.theApp()
	holders := make([]*holder, 32)
	for i := range holders {
		holders[i] = &holder{held: a.connect(t).refresh}
		h := holders[i]
		for range i % 4 {
			h.take(a.refresh(t, h.held).tokens().refresh)
		}
	}
	gone := a.connect(t)
	if r := d.get(t, "/invalidate", bearer(gone.access)); r.Status != 204 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	d.stop()
	var answer struct{ Moved map[string]int }
	move := []string{"move", "--from", dir, "--to", database, "--json"}
	kills, halves := 0, 0
	bound, after := time.Now().Add(3*time.Minute), 30*time.Millisecond
	// Each time a little later, so that it is hit at every stage, and in the end at none,
	// however busy the machine is.
	for killed(t, after+rand.N(15*time.Millisecond), "", &answer, move...) {
		kills++
		after += after / 6
		if _, stderr, _ := command(t, "", "account", "list", "--data", dir, "--database", database); strings.Contains(stderr, "that is not finished") {
			halves++
		}
		if time.Now().After(bound) {
			t.Fatal("it does not come to an end")
		}
	}
	t.Logf("killed %d times, %d of them on the way", kills, halves)
	if kills == 0 || answer.Moved["connection"] != len(holders)+1 {
		t.Errorf("killed %d times, and moved %v", kills, answer.Moved)
	}
	if _, stderr, status := command(t, "", "demo", "--listen", "127.0.0.1:0", "--data", dir); status == 0 || !strings.Contains(stderr, "error:") {
		t.Errorf("what was left is served: %d %s", status, stderr)
	}
	var again struct{ Already bool }
	if killed(t, time.Minute, "", &again, move...) || !again.Already {
		t.Error("it was not noticed that everything was moved before")
	}
	n := startDemo(t, dir, "--database", database)
	at := n.theApp()
	for i, h := range holders {
		h.keeps(t, at)
		if r := at.refresh(t, h.held); r.Status != 200 {
			t.Fatalf("client %d is stranded: %d %s", i, r.Status, r.Body)
		}
	}
	refused(t, at.refresh(t, gone.refresh), 400, "invalid_grant")
	at.alive(t, at.connect(t))
	if text := n.logText(); strings.Contains(text, "newer than the store") || strings.Contains(text, "older copy") {
		t.Error("something was lost on the way")
	}
}
