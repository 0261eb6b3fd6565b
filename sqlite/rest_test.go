package sqlite

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What the writer holds in memory of a file goes back to the machine, and the store
// works as before.
func TestRestGivesMemoryBack(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "symbolon.db"), Options{})
	err := db.write(t.Context(), "test", func(tx *transaction) error {
		if _, err := tx.exec(`CREATE TABLE large (page)`); err != nil {
			return err
		}
		// Each takes a page, and all of them what the cache has room for.
		if _, err := tx.exec(`INSERT INTO large WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 2000) SELECT zeroblob(4000) FROM n`); err != nil {
			return err
		}
		var sum int64
		return tx.row(`SELECT sum(length(page)) FROM large`, nil, &sum)
	})
	if err != nil {
		t.Fatal(err)
	}
	before := anonymous(t)
	if err := db.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if given := before - anonymous(t); given < 4<<20 {
		t.Errorf("%d bytes are given back, want most of the 8 MB that the cache has", given)
	}
	if err := db.write(t.Context(), "test", func(tx *transaction) error {
		_, err := tx.exec(`DROP TABLE large`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// anonymous returns how many bytes of this process are in memory that are not of
// files.
func anonymous(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
