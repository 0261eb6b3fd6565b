package metrics

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table in docs/operation.md is what there is.
func TestDocsHaveEveryMetric(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	const head = "| metric | type | labels | what it says |\n|---|---|---|---|\n"
	var table strings.Builder
	for _, d := range whole(t).List() {
		labels := strings.Join(d.Labels, ", ")
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, labels, d.Help)
	}
	_, rest, found := strings.Cut(string(page), head)
	got, _, _ := strings.Cut(rest, "\n\n")
	if !found || got+"\n" != table.String() {
		t.Errorf("docs/operation.md must have this table:\n%s%s", head, table.String())
	}
}
