package postgres

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
)

// TestEveryColumnIsCarried holds symbolon.Tables to the schema: whoever adds a table
// or a column to it must say there how it is carried to another store, or here why
// it is not.
func TestEveryColumnIsCarried(t *testing.T) {
	c := theCluster(t)
	conn, err := pgx.Connect(t.Context(), c.URL(database(t, c, "fresh")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `
		SELECT c.table_name || '.' || c.column_name || ' ' || c.data_type || ' ' || coalesce(k.ordinal_position, 0)
		FROM information_schema.columns AS c
			LEFT JOIN information_schema.key_column_usage AS k
				ON k.table_name = c.table_name AND k.column_name = c.column_name AND k.constraint_name = c.table_name || '_pkey'
		WHERE c.table_schema = current_schema() AND c.table_name <> $1
		ORDER BY 1`, versionTable)
	has, err := collect(rows, err, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	carried := []string{
		// What StoreState says.
		"mark.epoch uuid 0", "mark.sandbox boolean 0", "mark.moving bigint 0", "mark.moved text 0", "mark.beats bigint 0", "feed.last bigint 0",
		// What is not carried.
		"mark.one smallint 1", "feed.one smallint 1", // there is one row, always
		"mark.oldest bigint 0",  // of the schema, not of the data
		"once.made_at bigint 0", // read only while the row is made
		// A log, which begins anew with the new store.
		"trail.id bigint 1", "trail.client text 0", "trail.bucket smallint 0", "trail.line text 0", "trail.at bigint 0",
		"trail.request_id text 0", "trail.size bigint 0", "trail.entry text 0",
	}
	kinds := map[symbolon.ColumnKind]string{
		symbolon.Number: "bigint", symbolon.Truth: "boolean", symbolon.Text: "text", symbolon.Octets: "bytea", symbolon.ID128: "uuid",
	}
	for _, table := range symbolon.Tables() {
		for i, column := range table.Columns {
			key, kind := 0, kinds[column.Kind]
			if i < table.Key {
				key = i + 1
			}
			if table.Name == "change" && column.Name == "kind" {
				kind = "smallint"
			}
			carried = append(carried, fmt.Sprintf("%s.%s %s %d", table.Name, column.Name, kind, key))
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

// Of two moves into one database the slower one must not empty what the faster one
// has filled, and what is served by now.
func TestTwoMovesIntoOne(t *testing.T) {
	c := theCluster(t)
	url := c.URL(database(t, c, "fresh"))
	one, two := open(t, url, Options{Create: &Create{}}), open(t, url, Options{})
	ctx, from := t.Context(), symbolon.StoreState{Epoch: [16]byte{1}, Commits: 7}
	table := symbolon.Tables()[0]
	row := symbolon.Row{int64(1), "", []byte{1}, int64(1), nil}
	for _, db := range []*DB{one, two} { // nothing is wrong with going on with the same
		if err := db.Enter(ctx, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Load(ctx, table, []symbolon.Row{row}); err != nil {
		t.Fatal(err)
	}
	if err := one.Settle(ctx, from); err != nil {
		t.Fatal(err)
	}
	for name, step := range map[string]func() error{
		"enter":  func() error { return two.Enter(ctx, from) },
		"clear":  func() error { return two.Clear(ctx, table) },
		"load":   func() error { return two.Load(ctx, table, []symbolon.Row{row}) },
		"settle": func() error { return two.Settle(ctx, from) },
	} {
		if err := step(); symbolon.KindOf(err) != symbolon.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := one.Count(ctx, table); err != nil || n != 1 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

// A scope stands alone, with no key or account beside it, once a command has put it.
func TestAScopeIsDataOfItsOwn(t *testing.T) {
	c := theCluster(t)
	db := open(t, c.URL(database(t, c, "fresh")), Options{})
	if err := db.PutScope(t.Context(), symbolon.Scope{}, symbolon.Scope{Name: "read", Description: "Read"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Enter(t.Context(), symbolon.StoreState{Epoch: [16]byte{1}}); symbolon.KindOf(err) != symbolon.Conflict {
		t.Errorf("a move into it: %v", err)
	}
}
