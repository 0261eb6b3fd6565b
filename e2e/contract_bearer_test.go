//go:build linux

package e2e

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Step 4: CONTRACT.md "Step 4", ledger A9 (RFC 6750).
func TestInfo(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	tk := a.connect(t)
	t.Run("id and user, and nothing else", func(t *testing.T) {
		r := d.info(t, tk.access)
		if r.Status != 200 || len(r.JSON) != 2 || !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(r.text("id")) || r.text("user") != "Jane Doe" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		isJSON(t, r)
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}
	})
	t.Run("RFC6750-2.1-a the scheme in any case", func(t *testing.T) {
		for _, scheme := range []string{"bearer", "BEARER", "BeArEr"} {
			if r := d.get(t, "/info", header("Authorization", scheme+" "+tk.access)); r.Status != 200 {
				t.Errorf("%s: %d %s", scheme, r.Status, r.Body)
			}
		}
	})
	t.Run("RFC6750-3-a no token: no error code in the challenge", func(t *testing.T) {
		r := d.get(t, "/info")
		refused(t, r, 401, "invalid_token")
		challenged(t, r, "Bearer", "")
	})
	bad := map[string]string{
		"empty":                       "Bearer ",
		"no scheme":                   tk.access,
		"Basic":                       "Basic " + tk.access,
		"of another server":           "Bearer sym_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"garbage":                     "Bearer x",
		"RFC6750-3-b with quotes":     `Bearer a"b\c`,
		"B97 a refresh token":         "Bearer " + tk.refresh,
		"B97 a code":                  "Bearer " + a.code(t),
		"two tokens":                  "Bearer " + tk.access + " " + tk.access,
		"two tokens with a comma":     "Bearer " + tk.access + ", Bearer " + tk.access,
		"a token cut short":           "Bearer " + tk.access[:len(tk.access)-1],
		"a token and one letter more": "Bearer " + tk.access + "A",
	}
	for name, value := range bad {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/info", "/invalidate"} {
				r := d.get(t, path, header("Authorization", value))
				r.sent = []string{strings.TrimPrefix(value, "Bearer ")}
				refused(t, r, 401, "invalid_token")
				challenged(t, r, "Bearer", map[bool]string{true: "invalid_token"}[strings.HasPrefix(value, "Bearer ") && value != "Bearer "])
			}
		})
	}
	t.Run("RFC6750-2.3-a B79 a token in the query is not taken", func(t *testing.T) {
		refused(t, d.get(t, "/info?access_token="+tk.access), 401, "invalid_token")
		refused(t, d.get(t, "/invalidate?access_token="+tk.access), 401, "invalid_token")
	})
	t.Run("RFC6750-2-a a token sent twice", func(t *testing.T) {
		refused(t, d.get(t, "/info?access_token="+tk.access, bearer(tk.access)), 400, "invalid_request")
		refused(t, d.get(t, "/info", func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + tk.access, "Bearer " + tk.access}
		}), 400, "invalid_request")
	})
	t.Run("RFC6750-3.1-a a live token without connect", func(t *testing.T) {
		b := d.newApp(t, "https://c1.test/cb")
		r := d.info(t, b.connect(t, "scope", "other").access)
		refused(t, r, 403, "insufficient_scope")
		challenged(t, r, "Bearer", "insufficient_scope")
		if !strings.Contains(r.Header.Get("WWW-Authenticate"), `scope="connect"`) {
			t.Errorf("WWW-Authenticate %q names no scope", r.Header.Get("WWW-Authenticate"))
		}
	})
	// The refusals above ended nothing.
	a.alive(t, tk)
}

// Step 6: CONTRACT.md "Step 6".
func TestInvalidate(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			first := a.connect(t)
			other := a.connect(t)
			second := granted(t, a.refresh(t, first.refresh))
			r := send(t, bare, request(t, method, d.base+"/invalidate", nil, bearer(second.access)))
			if r.Status != http.StatusNoContent || len(r.Body) != 0 || r.Header.Get("Content-Type") != "" {
				t.Errorf("%d %q %q", r.Status, r.Header.Get("Content-Type"), r.Body)
			}
			a.over(t, second)
			a.over(t, first)
			again := send(t, bare, request(t, method, d.base+"/invalidate", nil, bearer(second.access)))
			refused(t, again, 401, "invalid_token")
			challenged(t, again, "Bearer", "invalid_token")
			a.alive(t, other)
		})
	}
	t.Run("by an access token of before a refresh", func(t *testing.T) {
		first := a.connect(t)
		second := granted(t, a.refresh(t, first.refresh))
		if r := d.get(t, "/invalidate", bearer(first.access)); r.Status != 204 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		a.over(t, second)
	})
	t.Run("a POST's body does not matter", func(t *testing.T) {
		tk := a.connect(t)
		if r := d.postRaw(t, "/invalidate", "application/json", "{}", bearer(tk.access)); r.Status != 204 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		a.over(t, tk)
	})
}

// Errors that are about HTTP: CONTRACT.md "Errors", B71.
func TestWrongMethodAndPath(t *testing.T) {
	t.Parallel()
	d := demo(t)
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "connect"}
	for path, allowed := range map[string][]string{
		"/authorize":  {"GET"},
		"/token":      {"POST"},
		"/info":       {"GET"},
		"/refresh":    {"POST"},
		"/invalidate": {"GET", "POST", "DELETE"},
	} {
		for _, method := range all {
			if slices.Contains(allowed, method) || method == "HEAD" && slices.Contains(allowed, "GET") {
				continue
			}
			t.Run(method+" "+path, func(t *testing.T) {
				r := send(t, bare, request(t, method, d.base+path, nil, header("X-HTTP-Method-Override", allowed[0])))
				if method == "HEAD" {
					if r.Status != 405 {
						t.Errorf("status %d", r.Status)
					}
				} else {
					refused(t, r, 405, "invalid_request")
				}
				got := strings.Split(strings.ReplaceAll(r.Header.Get("Allow"), " ", ""), ",")
				for _, m := range allowed {
					if !slices.Contains(got, m) {
						t.Errorf("Allow %q lacks %s", r.Header.Get("Allow"), m)
					}
				}
			})
		}
	}
	for _, path := range []string{"/nothing", "/token/", "/TOKEN", "//token", "/token;x", "/info/x", "/.well-known/nothing", "/%74oken/", "/authorize/..", "/static/../token", "/index.html", "/oauth2/nothing"} {
		t.Run("404 "+path, func(t *testing.T) {
			r := rawGet(t, d, path)
			refused(t, r, 404, r.text("error"))
			p := rawGet(t, d, path, "Accept: text/html")
			if p.Status != 404 || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
				t.Errorf("for a browser: %d %s", p.Status, p.Header.Get("Content-Type"))
			}
		})
	}
	t.Run("request ids differ", func(t *testing.T) {
		if d.get(t, "/nothing").text("request_id") == d.get(t, "/nothing").text("request_id") {
			t.Error("two requests have one id")
		}
	})
	t.Run("SYM-HTTP-5 the request id is in the log", func(t *testing.T) {
		if id := d.get(t, "/info").text("request_id"); !eventually(func() bool { return strings.Contains(d.logText(), id) }) {
			t.Errorf("request_id %s is not in the log", id)
		}
	})
	t.Run("error_uri leads to a page that explains the error", func(t *testing.T) {
		seen := map[string]bool{}
		for _, r := range []*reply{d.get(t, "/info"), d.post(t, "/token", nil), d.get(t, "/authorize?client_id=x&redirect_uri=y"),
			d.theApp().refresh(t, "x"), d.get(t, "/nothing")} {
			uri := r.text("error_uri")
			if seen[uri] {
				continue
			}
			seen[uri] = true
			path, fragment, _ := strings.Cut(strings.TrimPrefix(uri, d.base), "#")
			page := d.get(t, path, asBrowser)
			if page.Status != 200 || fragment != "" && !bytes.Contains(page.Body, []byte(`id="`+fragment+`"`)) {
				t.Errorf("%s: %d, and nothing there has the id %s", uri, page.Status, fragment)
			}
		}
	})
}
