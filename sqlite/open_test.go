package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// refusal opens a database that must be refused and returns the error.
func refusal(t *testing.T, options Options, want symbolon.Kind) string {
	t.Helper()
	db, err := Open(t.Context(), options)
	if err == nil {
		_ = db.Close()
		t.Fatal("opened")
	}
	if symbolon.KindOf(err) != want {
		t.Fatalf("error %v of kind %q, want %q", err, symbolon.KindOf(err), want)
	}
	return err.Error()
}

func TestOpenWithoutCreateNeedsADatabase(t *testing.T) {
	path := databasePath(t)
	refusal(t, Options{Path: path}, symbolon.NotFound)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatal("a file was made all the same")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refusal(t, Options{Path: path}, symbolon.NotFound)
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	w := seed(t, 1)
	files, err := filepath.Glob(w.path + "*")
	if err != nil || len(files) < 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, name := range files {
		st, err := os.Stat(name)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

func TestTheSortOfADatabaseIsKept(t *testing.T) {
	for _, sandbox := range []bool{false, true} {
		path := databasePath(t)
		for range 2 {
			db, err := Open(t.Context(), Options{Path: path, Create: &Create{Sandbox: sandbox}})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if text := refusal(t, Options{Path: path, Create: &Create{Sandbox: !sandbox}}, symbolon.Denied); !strings.Contains(text, "never mixed") {
			t.Errorf("the refusal says %q", text)
		}
		db, err := Open(t.Context(), Options{Path: path}) // the command line does not say
		if err != nil {
			t.Fatal(err)
		}
		if mark, err := db.Mark(t.Context()); err != nil || mark.Sandbox != sandbox {
			t.Errorf("mark %+v, %v", mark, err)
		}
		err = db.PutAccount(t.Context(), symbolon.Account{ID: symbolon.NewAccountID(), Username: "jane", Sandbox: true})
		if (err == nil) != sandbox {
			t.Errorf("a sandbox account in a database with sandbox=%v: %v", sandbox, err)
		}
		err = db.PutApp(t.Context(), symbolon.App{ID: "app", Sandbox: true})
		if (err == nil) != sandbox {
			t.Errorf("a sandbox app in a database with sandbox=%v: %v", sandbox, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsNotOursIsRefusedAndNotTouched(t *testing.T) {
	path := databasePath(t)
	foreign(t, path, `CREATE TABLE recipe (name TEXT)`)
	refusal(t, Options{Path: path, Create: &Create{}}, symbolon.Denied)

	garbage := databasePath(t)
	content := []byte(strings.Repeat("not a database ", 1000))
	if err := os.WriteFile(garbage, content, 0o600); err != nil {
		t.Fatal(err)
	}
	refusal(t, Options{Path: garbage, Create: &Create{}}, symbolon.Busy)
	if after, err := os.ReadFile(garbage); err != nil || string(after) != string(content) {
		t.Fatal("the file was changed")
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	w := seed(t, 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	foreign(t, w.path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	if text := refusal(t, Options{Path: w.path}, symbolon.Denied); !strings.Contains(text, "newer") {
		t.Fatalf("the refusal says %q", text)
	}
}

// foreign runs a statement on the file as another program would.
func foreign(t testing.TB, path, statement string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestManyMayStartAtOnce(t *testing.T) {
	path := databasePath(t)
	epochs := make([]Epoch, 8)
	var all sync.WaitGroup
	for i := range epochs {
		all.Go(func() {
			db, err := Open(t.Context(), Options{Path: path, Create: &Create{}})
			if err != nil {
				t.Error(err)
				return
			}
			mark, err := db.Mark(t.Context())
			if err != nil {
				t.Error(err)
			}
			epochs[i] = mark.Epoch
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, epoch := range epochs {
		if epoch != epochs[0] || epoch == (Epoch{}) {
			t.Fatalf("epochs %v", epochs)
		}
	}
}

func TestMarkCountsCommits(t *testing.T) {
	w := seed(t, 1)
	before, err := w.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.rotate(0); err != nil {
		t.Fatal(err)
	}
	after, err := w.Mark(t.Context())
	if err != nil || after.Commits != before.Commits+1 || after.Epoch != before.Epoch {
		t.Fatalf("from %+v to %+v, %v", before, after, err)
	}
	if _, err := w.Refresh(t.Context(), w.token(0, 0)); err != nil { // repeated: nothing is written
		t.Fatal(err)
	}
	if again, err := w.Mark(t.Context()); err != nil || again != after {
		t.Fatalf("from %+v to %+v, %v", after, again, err)
	}
}

func TestCloseLeavesOneFileAndRefusesFurtherCalls(t *testing.T) {
	w := seed(t, 3)
	if _, err := w.Keys(t.Context(), nil, false); err != nil {
		t.Fatal(err)
	}
	said := symbolon.Scope{Name: "connect", Description: "Act for you"}
	if err := w.PutScope(t.Context(), symbolon.Scope{}, said); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.rotate(0); symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("a write: %v", err)
	}
	if _, err := w.Keys(context.Background(), nil, false); symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("a read: %v", err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(w.path + suffix); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", suffix, err)
		}
	}
	w.DB = open(t, w.path, Options{})
	if err := w.rotate(0); err != nil {
		t.Fatal(err)
	}
	scopes, err := w.Scopes(t.Context())
	same(t, scopes, err, []symbolon.Scope{said})
}

func TestWhatIsToldIsDurable(t *testing.T) { // C4
	w := seed(t, 0)
	var synchronous int64
	var journal string
	err := w.write(t.Context(), "test", func(tx *transaction) error {
		return errors.Join(tx.row(`PRAGMA synchronous`, nil, &synchronous), tx.row(`PRAGMA journal_mode`, nil, &journal))
	})
	if err != nil || synchronous != 2 || journal != "wal" {
		t.Fatalf("synchronous=%d, journal_mode=%s, %v; want 2 (FULL) and wal", synchronous, journal, err)
	}
}

func TestSpecialCharactersInThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20é&_pragma=x.db")
	db := open(t, path, Options{})
	if err := db.PutApp(t.Context(), symbolon.App{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkOpen opens a database that needs no migration, and reads its mark.
func BenchmarkOpen(b *testing.B) {
	w := seed(b, 1000)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db, err := Open(b.Context(), Options{Path: w.path})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := db.Mark(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate makes a new database.
func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		db, err := Open(b.Context(), Options{Path: filepath.Join(dir, time.Now().Format("150405.000000000")), Create: &Create{}})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWhoOnlyLooksDecidesNothing(t *testing.T) {
	path := freshDatabase(t)
	foreign(t, path, `UPDATE mark SET sandbox = NULL`)
	refusal(t, Options{Path: path}, symbolon.NotFound)
	db, err := Open(t.Context(), Options{Path: path, Create: &Create{Sandbox: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
