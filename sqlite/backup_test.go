package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestBackupUnderLoad makes backups while every connection is refreshed without
// pause. Each is one moment of the database: whole, with every refresh in it that
// was answered before it began.
func TestBackupUnderLoad(t *testing.T) { // C36
	w := seed(t, 200)
	var seqs [200]atomic.Uint64 // the number of the last refresh that was answered
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for n := range 20 {
		load.Go(func() {
			for i := n; ctx.Err() == nil; i = (i + 20) % 200 {
				seq := seqs[i].Load()
				out, err := w.Refresh(context.Background(), w.token(i, seq))
				if err != nil || out.Result != symbolon.Rotated {
					t.Errorf("refresh of %d: %+v, %v", seq, out, err)
					return
				}
				seqs[i].Store(out.Seq)
			}
		})
	}
	answered := func() (sum uint64) {
		for i := range seqs {
			sum += seqs[i].Load()
		}
		return sum
	}
	began := answered()
	for range 5 {
		for at := answered(); answered() < at+25; { // however busy the machine is
			time.Sleep(time.Millisecond)
		}
		path := filepath.Join(t.TempDir(), "backup")
		var before [200]uint64
		for i := range seqs {
			before[i] = seqs[i].Load()
		}
		if err := w.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a log was left beside the backup: %v", err)
		}
		copied := open(t, path, Options{})
		if err := copied.CheckAll(t.Context()); err != nil {
			t.Error(err)
		}
		for i, id := range w.ids {
			list, err := copied.Connections(t.Context(), symbolon.ConnectionQuery{ID: id, Limit: 1})
			if err != nil || len(list) != 1 {
				t.Fatalf("connection %d: %v, %v", i, list, err)
			}
			if now := seqs[i].Load() + 1; list[0].Seq < before[i] || list[0].Seq > now {
				t.Errorf("connection %d has the number %d, want %d to %d", i, list[0].Seq, before[i], now)
			}
		}
		// It goes on like any database, and is as durable.
		var journal string
		if err := copied.file.Load().reads.QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&journal); err != nil || journal != "wal" {
			t.Errorf("the journal is %q, %v", journal, err)
		}
		if out, err := copied.Refresh(t.Context(), w.token(0, seqs[0].Load())); err != nil || out.Result != symbolon.Rotated && out.Result != symbolon.CaughtUp {
			t.Errorf("a refresh on the copy: %+v, %v", out, err)
		}
	}
	stop()
	load.Wait()
	if n := answered() - began; n < 100 {
		t.Errorf("only %d refreshes were made meanwhile", n)
	}
}

func TestBackupRefusesAFileThatIsNotEmpty(t *testing.T) {
	w := seed(t, 1)
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Backup(t.Context(), path); err == nil {
		t.Error("it was written over")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

func TestCheckAllFindsAnIndexThatIsWrong(t *testing.T) {
	w := seed(t, 3)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// An index that says to be over another column than it was made over.
	foreign(t, w.path, `PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = replace(sql, 'account_no', 'expires_at') WHERE name = 'connection_account'`)
	db := open(t, w.path, Options{})
	if err := db.Check(t.Context()); err != nil {
		t.Errorf("the quick check looks at indexes: %v", err)
	}
	if err := db.CheckAll(t.Context()); symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("got %v", err)
	}
}
