package oauth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/sqlite"
	"pgregory.net/rapid"
)

// The same life on the real store, which is closed and opened at each restart.
func TestLifeOfConnectionsOnSQLite(t *testing.T) {
	if os.Getenv("SYMBOLON_LONG") == "" {
		t.Skip("for make test-long: each case makes a database")
	}
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		var db *sqlite.DB
		n++
		file := filepath.Join(dir, fmt.Sprint(n))
		live(t, true, func(clock symbolon.Clock) symbolon.Store {
			if db != nil {
				db.Close()
			}
			var err error
			db, err = sqlite.Open(context.Background(), sqlite.Options{Path: file, Create: &sqlite.Create{}, Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
		db.Close()
	})
}
