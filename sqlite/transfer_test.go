package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestEveryColumnIsCarried holds symbolon.Tables to the schema: whoever adds a table
// or a column to it must say there how it is carried to another store, or here why
// it is not.
func TestEveryColumnIsCarried(t *testing.T) {
	db := open(t, freshDatabase(t), Options{})
	rows, err := db.file.Load().reads.QueryContext(t.Context(), `
		SELECT t.name, c.name, c.type, c.pk
		FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND t.name NOT LIKE 'goose%'
		ORDER BY t.name, c.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var has []string
	for rows.Next() {
		var table, column, kind string
		var key int
		if err := rows.Scan(&table, &column, &kind, &key); err != nil {
			t.Fatal(err)
		}
		has = append(has, fmt.Sprintf("%s.%s %s %d", table, column, kind, key))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	carried := []string{
		// What StoreState says.
		"mark.epoch BLOB 0", "mark.commits INTEGER 0", "mark.sandbox INTEGER 0", "mark.moving INTEGER 0", "mark.moved TEXT 0",
		"sqlite_sequence.name  0", "sqlite_sequence.seq  0", // of the table change only
		// What is not carried.
		"mark.one INTEGER 1", // there is one row, always
	}
	kinds := map[symbolon.ColumnKind]string{
		symbolon.Number: "INTEGER", symbolon.Truth: "INTEGER", symbolon.Text: "TEXT", symbolon.Octets: "BLOB", symbolon.ID128: "BLOB",
	}
	for _, table := range symbolon.Tables() {
		for i, column := range table.Columns {
			key := 0
			if i < table.Key {
				key = i + 1
			}
			carried = append(carried, fmt.Sprintf("%s.%s %s %d", table.Name, column.Name, kinds[column.Kind], key))
		}
	}
	for _, column := range has {
		if !slices.Contains(carried, column) {
			t.Errorf("%s is in the schema and would be lost on the way to another store: add it to symbolon.Tables", column)
		}
	}
	for _, column := range carried {
		if !slices.Contains(has, column) {
			t.Errorf("%s is not in the schema", column)
		}
	}
}

func TestADatabaseThatIsHalfMovedOrLeftIsRefused(t *testing.T) {
	w := seed(t, 1)
	state, err := w.State(t.Context())
	if err != nil || state.Moving || state.MovedTo != "" || state.Commits == 0 {
		t.Fatalf("state %+v, %v", state, err)
	}
	stale := state
	stale.Commits--
	if err := w.Leave(t.Context(), stale, "elsewhere"); symbolon.KindOf(err) != symbolon.Conflict {
		t.Fatalf("left in a state that it was not read in: %v", err)
	}
	if err := w.Leave(t.Context(), state, "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if text := refusal(t, Options{Path: w.path}, symbolon.Denied); !strings.Contains(text, "elsewhere") {
		t.Errorf("the refusal says %q", text)
	}
	// Who had it open before changes nothing any more.
	if out, err := w.Refresh(t.Context(), w.token(0, 0)); !errors.Is(err, symbolon.ErrMoved) || symbolon.KindOf(err) != symbolon.Busy {
		t.Errorf("a refresh of what was left: %+v, %v", out, err)
	}
	if err := w.Stay(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Refresh(t.Context(), w.token(0, 0)); err != nil || out.Result != symbolon.Rotated {
		t.Errorf("a refresh of what was taken back: %+v, %v", out, err)
	}
	if err := w.Enter(t.Context(), symbolon.StoreState{Epoch: [16]byte{1}, Commits: 7}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: w.path}); !errors.Is(err, symbolon.ErrMoving) || symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("half moved, and opened: %v", err)
	}
}
