package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestTrail(t *testing.T) {
	storetest.RunTrail(t, func(t testing.TB) symbolon.Trail { return openTrail(t, filepath.Join(t.TempDir(), "trail.db")) })
}

func openTrail(t testing.TB, path string) *Trail {
	trail := OpenTrail(path)
	t.Cleanup(func() { _ = trail.Close() })
	return trail
}

func (t *Trail) has(tb testing.TB, want int) {
	tb.Helper()
	list, err := t.Trail(context.Background(), symbolon.TrailQuery{Client: "a", Limit: 99})
	if err != nil || len(list) != want {
		tb.Fatalf("%d entries and %v, want %d", len(list), err, want)
	}
}

func (t *Trail) put(tb testing.TB) {
	tb.Helper()
	if err := t.Record(context.Background(), []symbolon.TrailEntry{{RequestID: "R", Client: "a", Bucket: symbolon.NamedApp, At: time.Now()}}, 99); err != nil {
		tb.Fatal(err)
	}
}

// It is there after a restart, for its owner alone, and another process reads it while it
// is written.
func TestTrailStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.db")
	reader := openTrail(t, path)
	reader.has(t, 0)
	if _, err := os.Stat(path); err == nil {
		t.Fatal("reading has made the file")
	}
	first := openTrail(t, path)
	first.put(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	reader.has(t, 1)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openTrail(t, path)
	second.put(t)
	reader.has(t, 2)
}

// A file that is damaged, of another version, or removed is begun anew, and nothing else
// fails.
func TestTrailIsBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.db")
	trail := openTrail(t, path)
	trail.put(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	trail.has(t, 0)
	trail.put(t)
	trail.has(t, 1)

	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("this is no database, but some text that is longer than its header would be, and then some more of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	trail.has(t, 0)
	trail.put(t)
	trail.has(t, 1)

	if _, err := trail.db.Exec("PRAGMA user_version = 7"); err != nil {
		t.Fatal(err)
	}
	trail.has(t, 0)
	trail.put(t)
	trail.has(t, 1)
}
