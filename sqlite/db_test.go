package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// open opens a new database that is closed at the end of the test.
func open(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Path: path, Create: &Create{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) symbolon.Store {
		return open(t, filepath.Join(t.TempDir(), "symbolon.db"))
	})
}
