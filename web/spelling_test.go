package web

import "testing"

// Decision 9: each path has one spelling.
func TestPathsHaveOneSpelling(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/%69nfo", "/inf%6F", "//info", "/info/", "/INFO", "/./info", "/info%2f"} {
		if resp, _ := f.call(t, "GET", path, nil); resp.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", path, resp.StatusCode)
		}
	}
}
