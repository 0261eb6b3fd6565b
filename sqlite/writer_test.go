package sqlite

import (
	"errors"
	"sync"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestAChangeThatFailsLeavesNothingBehind has changes of two statements fail
// after the first, and one statement fail, among changes that succeed.
func TestAChangeThatFailsLeavesNothingBehind(t *testing.T) {
	w := seed(t, 0)
	insert := func(tx *transaction, id string) error {
		_, err := tx.exec(`INSERT INTO consent (account_no, client, scope, granted_at) VALUES (9, ?, '', 0)`, id)
		return err
	}
	ways := []struct {
		name  string
		apply func(tx *transaction, id string) error
		want  symbolon.Kind
	}{
		{"good", func(tx *transaction, id string) error { return insert(tx, id) }, 0},
		{"refused", func(tx *transaction, id string) error {
			return tx.atomically(func() error {
				return errors.Join(insert(tx, id), symbolon.Errorf(symbolon.Conflict, "test", "refused"))
			})
		}, symbolon.Conflict},
		{"constraint", func(tx *transaction, id string) error {
			return tx.atomically(func() error { return errors.Join(insert(tx, id), insert(tx, id)) })
		}, symbolon.Internal},
		{"wrong statement", func(tx *transaction, id string) error {
			return tx.atomically(func() error {
				_, err := tx.exec(`SELECT * FROM nothing`)
				return errors.Join(insert(tx, id), err)
			})
		}, symbolon.Internal},
	}
	var all sync.WaitGroup
	for i := range 40 * len(ways) {
		way := ways[i%len(ways)]
		all.Go(func() {
			err := w.write(t.Context(), "test", func(tx *transaction) error {
				return way.apply(tx, way.name+string(rune('a'+i)))
			})
			if way.name == "good" && err != nil || way.name != "good" && (err == nil || symbolon.KindOf(err) != way.want) {
				t.Errorf("%s: %v", way.name, err)
			}
		})
	}
	all.Wait()
	var good, rest int
	err := w.read(t.Context(), "test", func(f *file) error {
		return f.row(t.Context(), `
			SELECT count(*) FILTER (WHERE client LIKE 'good%'), count(*) FILTER (WHERE client NOT LIKE 'good%')
			FROM consent WHERE account_no = 9`, nil, &good, &rest)
	})
	if err != nil || good != 40 || rest != 0 {
		t.Fatalf("%d good changes and %d others are left, %v; want 40 and 0", good, rest, err)
	}
}
