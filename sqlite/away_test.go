package sqlite

import (
	"database/sql"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// logbook takes log lines.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

// count returns how many lines hold the text.
func (l *logbook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// trouble is a way to take the store away from a running server and to bring
// it back.
type trouble struct {
	name  string
	begin func(t *testing.T, w *seeded)
	end   func(t *testing.T, w *seeded)
	// reads is set where reads go on.
	reads bool
}

var saved sync.Map // what a trouble needs for its end, by the path

var troubles = []trouble{
	{name: "locked", reads: true,
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, foreign(t, w.path, `BEGIN EXCLUSIVE`))
		},
		end: func(t *testing.T, w *seeded) {
			other, _ := saved.Load(w.path)
			if _, err := other.(*sql.DB).Exec(`ROLLBACK`); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "read-only", reads: true,
		begin: func(t *testing.T, w *seeded) { w.pragma(t, `PRAGMA query_only = 1`) },
		end:   func(t *testing.T, w *seeded) {}},
	{name: "moved away",
		begin: func(t *testing.T, w *seeded) { move(t, w.path, w.path+".away") },
		end:   func(t *testing.T, w *seeded) { move(t, w.path+".away", w.path) }},
	{name: "deleted, and a copy put back",
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, w.copy(t))
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(w.path + suffix); err != nil {
					t.Fatal(err)
				}
			}
		},
		end: func(t *testing.T, w *seeded) { w.putBack(t) }},
	{name: "overwritten in place by garbage, and a copy put back",
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, w.copy(t))
			overwrite(t, w.path, []byte(strings.Repeat("garbage ", 8192)))
		},
		end: func(t *testing.T, w *seeded) { w.putBack(t) }},
	{name: "replaced by garbage, and a copy put back",
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, w.copy(t))
			overwrite(t, w.path+".new", []byte(strings.Repeat("garbage ", 8192)))
			move(t, w.path+".new", w.path)
		},
		end: func(t *testing.T, w *seeded) { w.putBack(t) }},
	{name: "replaced by garbage, and a copy put back beside the old log",
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, w.copy(t))
			overwrite(t, w.path+".new", []byte(strings.Repeat("garbage ", 8192)))
			move(t, w.path+".new", w.path)
		},
		end: func(t *testing.T, w *seeded) {
			content, _ := saved.Load(w.path)
			overwrite(t, w.path+".new", content.([]byte))
			move(t, w.path+".new", w.path)
		}},
	{name: "replaced by a copy with a log of its own",
		begin: func(t *testing.T, w *seeded) {},
		end: func(t *testing.T, w *seeded) {
			for _, suffix := range []string{"", "-wal"} {
				content, err := os.ReadFile(w.path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				overwrite(t, w.path+".new"+suffix, content)
			}
			for _, suffix := range []string{"-wal", ""} {
				move(t, w.path+".new"+suffix, w.path+suffix)
			}
			if err := os.Remove(w.path + "-shm"); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "emptied, and a copy put back",
		begin: func(t *testing.T, w *seeded) {
			saved.Store(w.path, w.copy(t))
			overwrite(t, w.path, nil)
		},
		end: func(t *testing.T, w *seeded) { w.putBack(t) }},
	{name: "the log deleted",
		begin: func(t *testing.T, w *seeded) {
			if err := os.Remove(w.path + "-wal"); err != nil {
				t.Fatal(err)
			}
		},
		end: func(t *testing.T, w *seeded) {}},
}

// pragma sets something on the connection that writes, and on no other.
func (w *seeded) pragma(t *testing.T, statement string) {
	err := w.write(t.Context(), "test", func(tx *transaction) error {
		_, err := tx.w.conn.exec(statement)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copy returns the content of the database, written back from the log.
func (w *seeded) copy(t *testing.T) []byte {
	foreign(t, w.path, `PRAGMA wal_checkpoint(TRUNCATE)`)
	content, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (w *seeded) putBack(t *testing.T) {
	content, _ := saved.Load(w.path)
	w.removeLog()
	overwrite(t, w.path, content.([]byte))
}

func (w *seeded) removeLog() {
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(w.path + suffix)
	}
}

// overwrite writes into the file that is there, or a new one.
func overwrite(t *testing.T, path string, content []byte) {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestTheStoreGoesAwayAndComesBackByItself(t *testing.T) {
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) { trouble.happens(t) })
	}
}

func (tr trouble) happens(t *testing.T) {
	log := &logbook{}
	w := seedWith(t, 8, Options{Wait: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
	for i := range w.ids {
		if err := w.rotate(i); err != nil {
			t.Fatal(err)
		}
	}
	tr.begin(t, w)
	for range 5 {
		var all sync.WaitGroup
		for i := range w.ids {
			all.Go(func() { tr.suffers(t, w, i) })
		}
		all.Wait()
	}
	_, err := w.Keys(t.Context(), nil, false)
	if tr.reads && err != nil {
		t.Errorf("a read failed: %v", err)
	}
	tr.end(t, w)
	for range 2 { // the first may be a repetition, which writes nothing
		for i := range w.ids {
			eventually(t, func() error { return w.again(t, i) })
		}
	}
	eventually(t, func() error {
		_, err := w.Keys(t.Context(), nil, false)
		return err
	})
	if gone, back := log.count("the store is away"), log.count("the store is back"); gone != 1 || back != 1 {
		t.Errorf("said %d times that it went and %d times that it is back: %v", gone, back, log.lines)
	}
	if err := w.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// suffers refreshes while there is trouble: Busy or Unknown, or an answer that
// is true.
func (tr trouble) suffers(t *testing.T, w *seeded, i int) {
	got, err := w.Refresh(t.Context(), w.token(i, w.seqs[i]))
	switch kind := symbolon.KindOf(err); {
	case err == nil && got.Result == symbolon.Rotated && got.Seq == w.seqs[i]+1:
		w.seqs[i]++ // before the trouble was noticed, or where it mended itself
	case err == nil && got.Result == symbolon.Repeated && got.Seq == w.seqs[i]+1:
		w.seqs[i]++ // a call of before that ended in Unknown
	case err == nil:
		t.Errorf("got %+v", got)
	case kind != symbolon.Busy && kind != symbolon.Unknown:
		t.Errorf("got %v", err)
	}
}

// again refreshes as a client does that keeps its token until it has another.
func (w *seeded) again(t *testing.T, i int) error {
	got, err := w.Refresh(t.Context(), w.token(i, w.seqs[i]))
	if err != nil {
		return err
	}
	if (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) || got.Seq != w.seqs[i]+1 {
		t.Fatalf("with sequence number %d: got %+v", w.seqs[i], got)
	}
	w.seqs[i] = got.Seq
	return nil
}

func TestAnotherDatabaseInThePlaceIsNotTaken(t *testing.T) {
	w, other := seed(t, 1), seedAt(t, databasePath(t), 1, Options{})
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	move(t, w.path, w.path+".away")
	move(t, other.path, w.path)
	for range 3 {
		if err := w.rotate(0); err == nil {
			t.Fatal("refreshed in another database")
		}
		time.Sleep(2 * firstPause)
	}
	if _, err := w.Keys(t.Context(), nil, false); symbolon.KindOf(err) != symbolon.Busy {
		t.Fatalf("a read: %v", err)
	}
}

func TestAnOlderCopyIsNotTakenWhileOpen(t *testing.T) {
	w := seed(t, 1)
	old := w.copy(t)
	for range 3 {
		if err := w.rotate(0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.End(t.Context(), symbolon.End{Connection: w.ids[0], Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, cursor, err := w.Changes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	saved.Store(w.path, old)
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.putBack(t)
	for range 3 {
		if got, err := w.Refresh(t.Context(), w.token(0, 3)); err == nil && got.Result != symbolon.RefreshEnded {
			t.Fatalf("a connection that was ended came back: %+v", got)
		}
		time.Sleep(2 * firstPause)
	}
	// Who starts again accepts the copy, and the feed begins again.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.DB = open(t, w.path, Options{})
	if got, err := w.Refresh(t.Context(), w.token(0, 3)); err != nil || got.Result != symbolon.CaughtUp || got.Seq != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	list, next, err := w.Changes(t.Context(), cursor+1000, 100)
	if err != nil || len(list) != 0 || next != 0 {
		t.Fatalf("got %v, %v, %v", list, next, err)
	}
}

func TestADamagedPageHurtsOnlyWhatIsOnIt(t *testing.T) {
	const n, pageSize = 300, 4096
	w := seed(t, n)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	some := 0 // pages that hurt some calls and not most
	for page := 1; page < len(content)/pageSize; page++ {
		hurt := append([]byte(nil), content...)
		for i := range pageSize {
			hurt[page*pageSize+i] = byte(i * 31)
		}
		w.removeLog() // of the page before, which may have stayed
		overwrite(t, w.path, hurt)
		if good := w.damaged(t); good < n && good > n/2 {
			some++
		}
	}
	if some < 3 { // the connections fill more pages than that
		t.Errorf("only %d pages of %d hurt what is on them alone", some, len(content)/pageSize)
	}
}

// damaged opens the database and refreshes everything at once. Each call must
// have a true answer or none. It returns how many had one.
func (w *seeded) damaged(t *testing.T) int {
	db, err := Open(t.Context(), Options{Path: w.path})
	if err != nil {
		if kind := symbolon.KindOf(err); kind != symbolon.Busy && kind != symbolon.Denied {
			t.Errorf("opening: %v", err)
		}
		return 0
	}
	defer db.Close()
	var good atomic.Int64
	var all sync.WaitGroup
	for i := range w.ids {
		all.Go(func() {
			got, err := db.Refresh(t.Context(), w.token(i, 0))
			switch {
			case err == nil && got.Result == symbolon.Rotated && got.Seq == 1:
				good.Add(1)
			case err == nil:
				t.Errorf("garbage was believed: %+v", got)
			case symbolon.KindOf(err) != symbolon.Busy:
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	return int(good.Load())
}
