package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon"
)

// TestDiskFull fills a small file system. Where none can be mounted, a limit on
// the pages of the database stands in for it.
func TestDiskFull(t *testing.T) { // C7
	t.Run("file system", func(t *testing.T) {
		dir := t.TempDir()
		err := unix.Mount("none", dir, "tmpfs", 0, "size=2m")
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			t.Skip("mounting needs privileges: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		ballast := filepath.Join(dir, "ballast")
		fills(t, filepath.Join(dir, "symbolon.db"), 10,
			func(w *seeded) { fill(t, ballast) },
			func(w *seeded) {
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
			})
	})
	t.Run("page limit", func(t *testing.T) {
		fills(t, databasePath(t), 1, // the next connection knows nothing of the limit
			func(w *seeded) { w.pragma(t, `PRAGMA max_page_count = 1`) },
			func(w *seeded) {})
	})
}

// fill writes until nothing more fits.
func fill(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// fills connects until that has failed so many times, checks that reads go on,
// that nothing that was told is lost, and that all is well when there is room
// again.
func fills(t *testing.T, path string, failures int, begin, end func(w *seeded)) {
	log := &logbook{}
	w := seedAt(t, path, 8, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	begin(w)
	made, busy := []symbolon.ConnectionID{}, 0
	for i := 0; busy < failures; i++ {
		c := w.code(time.Now())
		if i%2 == 0 {
			c.Connection.Scope = append(c.Connection.Scope, string(make([]byte, 3000)))
		}
		got, err := w.Connect(t.Context(), c)
		switch {
		case err == nil && got == symbolon.Connected && i < 5000:
			made = append(made, c.Connection.ID)
		case symbolon.KindOf(err) == symbolon.Busy:
			busy++
			if _, err := w.Keys(t.Context(), nil, false); err != nil {
				t.Fatalf("a read while the disk is full: %v", err)
			}
		default:
			t.Fatalf("after %d connections: got %v, %v", i, got, err)
		}
	}
	end(w)
	for i := range w.ids {
		eventually(t, func() error { return w.rotate(i) })
	}
	for _, id := range made {
		if list, err := w.Connections(t.Context(), symbolon.ConnectionQuery{ID: id, Limit: 1}); err != nil || len(list) != 1 {
			t.Fatalf("%d of what was told: %v", len(list), err)
		}
	}
	if err := w.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if gone, back := log.count("the store is away"), log.count("the store is back"); gone == 0 || gone != back {
		t.Errorf("said %d times that it went and %d times that it is back: %v", gone, back, log.lines)
	}
	t.Logf("%d connections fitted; the log: %q", len(made), log.lines)
}

// cannotGrow is what a child does whose files may not grow: every write past
// the limit is an I/O error. What was told must be so, and when the limit is
// gone the store comes back.
func cannotGrow(db *DB, ids []symbolon.ConnectionID) error {
	signal.Ignore(unix.SIGXFSZ)
	w := &seeded{DB: db, ids: ids, seqs: make([]uint64, len(ids))}
	if err := w.rotate(0); err != nil {
		return err
	}
	st, err := os.Stat(os.Getenv(childPath) + "-wal")
	if err != nil {
		return err
	}
	limit := func(bytes uint64) error {
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY})
	}
	if err := limit(uint64(st.Size()) + 10_000); err != nil {
		return err
	}
	failures := 0
	for range 50 {
		got, err := w.Refresh(context.Background(), w.token(0, w.seqs[0]))
		switch kind := symbolon.KindOf(err); {
		case err == nil && got.Seq == w.seqs[0]+1 && (got.Result == symbolon.Rotated || got.Result == symbolon.Repeated):
			w.seqs[0]++
		case err == nil || (kind != symbolon.Busy && kind != symbolon.Unknown):
			return fmt.Errorf("got %+v, %v", got, err)
		default:
			failures++
		}
	}
	if failures == 0 {
		return errors.New("nothing failed")
	}
	if err := limit(unix.RLIM_INFINITY); err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		got, err := w.Refresh(context.Background(), w.token(0, w.seqs[0]))
		if err == nil && got.Seq == w.seqs[0]+1 {
			return db.Close()
		}
	}
	return errors.New("it did not come back")
}

func TestFilesThatCannotGrow(t *testing.T) { // C5, C6
	w := seed(t, 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child(t, "cannot grow", w.path, w.ids).Run(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, w.path, Options{}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
