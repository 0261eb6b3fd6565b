package sqlite

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// What an operator sees of a database: what was gathered, and that it is away.
func TestStats(t *testing.T) {
	path := freshDatabase(t)
	db := open(t, path, Options{})
	put := func() error {
		return db.PutApp(t.Context(), symbolon.App{ID: symbolon.NewClientID(), Name: "a", CreatedAt: time.Now()})
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); s.Away || s.Writes.Changes == 0 || s.Writes.Depth != maxQueue {
		t.Errorf("of a database that is there: %+v", s)
	}
	move(t, path, path+".away")
	if err := put(); err == nil || !db.Stats().Away {
		t.Errorf("without its file: %v, %+v", err, db.Stats())
	}
	move(t, path+".away", path)
	for until := time.Now().Add(5 * time.Second); put() != nil && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	if db.Stats().Away {
		t.Error("it is back, and said to be away")
	}
}
