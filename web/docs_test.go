package web

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/oauth"
)

// read returns a page's status and text.
func (f *fixture) read(t *testing.T, target string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", f.URL+target, nil)
	check(t, err)
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(body)
}

// Every refusal of the engine is explained, at the anchor that error_uri names.
func TestErrorsPageHasEveryRefusal(t *testing.T) {
	f := newFixture(t)
	code, page := f.read(t, "/docs/errors")
	if code != 200 {
		t.Fatalf("status %d", code)
	}
	for r := range statuses {
		refusal := oauth.Refusal(r)
		if n := strings.Count(page, `id="`+refusal.Code()+`"`); n != 1 {
			t.Errorf("%s has %d anchors", refusal.Code(), n)
		}
	}
	// A real refusal leads there.
	_, body := f.call(t, "GET", "/info", nil)
	uri, err := url.Parse(body["error_uri"].(string))
	check(t, err)
	if uri.Path != "/docs/errors" || !strings.Contains(page, `id="`+uri.Fragment+`"`) || !strings.HasPrefix(uri.String(), f.URL) {
		t.Errorf("error_uri %s leads nowhere", uri)
	}
}

// The statuses on the page are those of the status table, and invalid_request
// also has those about HTTP.
func TestErrorCodesHaveTheirStatuses(t *testing.T) {
	want := map[string][]int{
		"invalid_client":                    {400, 401, 404, 429},
		"invalid_grant":                     {400},
		"invalid_request":                   {400, 404, 405, 413, 414, 415, 431},
		"invalid_token":                     {401},
		"server_error":                      {500},
		"invalid_target":                    {400},
		"access_denied":                     {400, 403},
		"consent_required":                  {400},
		"unmet_authentication_requirements": {400},
		"insufficient_user_authentication":  {401},
		// 501 by the six steps, 400 under /oauth2/.
		"unsupported_grant_type":    {400, 501},
		"unsupported_response_type": {400, 501},
	}
	codes := errorCodes()
	for i, own := range []string{"server_error", "temporarily_unavailable"} {
		if last := codes[len(codes)-2+i].Code; last != own {
			t.Errorf("%s stands where the server's own %s belongs", last, own)
		}
	}
	for _, c := range codes {
		if w, ok := want[c.Code]; ok {
			if !slices.Equal(w, c.Statuses) {
				t.Errorf("%s: %v, want %v", c.Code, c.Statuses, w)
			}
			delete(want, c.Code)
		}
	}
	if len(want) > 0 {
		t.Errorf("not among the codes: %v", want)
	}
}

// The page at /docs shows each step, and its command lines work against this
// server when they are pasted into a shell one after another.
func TestDocsCommandLines(t *testing.T) {
	f := newFixture(t)
	code, page := f.read(t, "/docs")
	if code != 200 {
		t.Fatalf("status %d\n%s", code, page)
	}
	if strings.Contains(page, exampleIssuer) {
		t.Errorf("the page names %s", exampleIssuer)
	}
	for _, text := range []string{"redirect_uri", "code_challenge", "refresh_expires_in", "/docs/errors#invalid_grant", "DELETE", `href="/.well-known/oauth-authorization-server"`} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl on this machine")
	}
	blocks := regexp.MustCompile(`(?s)<pre[^>]*>((?:BASE=|answer=|curl ).*?)</pre>`).FindAllStringSubmatch(page, -1)
	if len(blocks) != 6 {
		t.Fatalf("%d blocks of commands, want the settings and 5 steps", len(blocks))
	}
	// One shell for all of them: each takes what the one before has set.
	const between = "\n-- next --\n"
	script := ""
	for _, b := range blocks {
		script += html.UnescapeString(b[1]) + "\nprintf '" + strings.ReplaceAll(between, "\n", `\n`) + "'\n"
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-euc", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	answers := strings.Split(string(out), between)
	if len(answers) != len(blocks)+1 {
		t.Fatalf("%d answers\n%s", len(answers), out)
	}
	for i, member := range []string{1: "code", 2: "access_token", 3: "user", 4: "refresh_token"} {
		if member == "" {
			continue
		}
		var answer map[string]any
		if err := json.Unmarshal([]byte(answers[i]), &answer); err != nil || answer[member] == nil {
			t.Errorf("block %d gives no %s\n%s", i, member, answers[i])
		}
	}
	if !strings.Contains(answers[5], " 204 ") {
		t.Errorf("the last gives\n%s", answers[5])
	}
}

func TestSpecRefusesWhatItCannotFollow(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":           `{`,
		"a path that is no": `{"paths":[]}`,
		"leads nowhere":     `{"paths":{"/a":{"get":{"parameters":[{"$ref":"#/components/parameters/none"}]}}}}`,
		"leads out":         `{"paths":{"/a":{"get":{"responses":{"200":{"$ref":"other.json"}}}}}}`,
		"no operation":      `{"paths":{"/a":{}}}`,
	} {
		s, err := readSpec([]byte(text))
		if err == nil {
			_, err = s.page()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
