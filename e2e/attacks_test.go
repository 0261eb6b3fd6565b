//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// later are attacks of the ledger that this suite does not make, and why.
var later = map[string]string{
	"B37": "auth_time is in no token of the page's API: OpenID Connect",
	"B46": "the revocation endpoint of the standard surface",
	"B47": "the introspection endpoint of the standard surface",
	"B48": "the introspection endpoint of the standard surface",
	"B50": "the page's API answers 404 for an app that is unknown, as CONTRACT.md says; the standard surface will not",
}

// Every attack from B1 to B65, and those of HTTP that concern the page's API,
// is made by a test of this package that names it, or stands in later.
func TestEveryAttackIsMade(t *testing.T) {
	var all strings.Builder
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	for _, f := range files {
		if f == "attacks_test.go" {
			continue
		}
		text, err := os.ReadFile(f)
		must(t, err)
		all.Write(text)
	}
	made := map[string]bool{}
	for _, id := range regexp.MustCompile(`\bB\d+\b`).FindAllString(all.String(), -1) {
		made[id] = true
	}
	ids := []string{"B66", "B67", "B68", "B69", "B70", "B71", "B75", "B79", "B84", "B97", "B98"}
	for n := 1; n <= 65; n++ {
		ids = append(ids, "B"+strconv.Itoa(n))
	}
	for _, id := range ids {
		switch {
		case made[id] && later[id] != "":
			t.Errorf("%s is made, and stands among those for later", id)
		case !made[id] && later[id] == "":
			t.Errorf("%s is not made", id)
		}
	}
}
