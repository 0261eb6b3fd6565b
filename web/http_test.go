package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/oauth"
)

func TestPrefersHTML(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                  false,
		"*/*":                               false,
		"text/*":                            false,
		"text/html":                         true,
		"TEXT/HTML":                         true,
		"text/html, application/json":       true,
		"application/json, text/html;q=0.9": false,
		"application/json;q=0.1, text/html": true,
		"text/html;q=0":                     false,
		"text/html;q=2":                     false,
		"text/html;q=NaN":                   false,
		"application/json":                  false,
		"text/html,application/xhtml+xml,*/*;q=0.8": true,
		",;,text/html;;q=0.5,":                      true,
	} {
		if got := prefersHTML(http.Header{"Accept": {accept}}); got != want {
			t.Errorf("Accept %q: prefers HTML %v, want %v", accept, got, want)
		}
	}
}

func FuzzPrefersHTML(f *testing.F) {
	f.Add("text/html;q=0.5, */*")
	f.Fuzz(func(t *testing.T, accept string) {
		if prefersHTML(http.Header{"Accept": {accept}}) && !strings.Contains(strings.ToLower(accept), "html") {
			t.Errorf("%q names no HTML", accept)
		}
	})
}

func TestMediaType(t *testing.T) {
	for value, want := range map[string]string{
		"application/json":                                   "application/json",
		"Application/JSON; charset=UTF-8":                    "application/json",
		"application/x-www-form-urlencoded; charset=utf-8":   "application/x-www-form-urlencoded",
		"application/x-www-form-urlencoded; charset=utf-16":  "", // ledger B70
		"application/x-www-form-urlencoded; charset=utf-8; ": "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=x":                    "multipart/form-data",
		"":                                                   "",
		";":                                                  "",
	} {
		if got := mediaType(http.Header{"Content-Type": {value}}); got != want {
			t.Errorf("Content-Type %q: %q, want %q", value, got, want)
		}
	}
	if got := mediaType(http.Header{"Content-Type": {"application/json", "application/x-www-form-urlencoded"}}); got != "" {
		t.Errorf("two Content-Types: %q, want none", got)
	}
}

// SYM-HTTP-6: forwarded headers are believed from configured proxies only.
func TestAddress(t *testing.T) {
	for _, c := range []struct{ name, peer, forwarded, want string }{
		{"no proxy is trusted at this address", "192.0.2.9:1234", "203.0.113.5", "192.0.2.9"},
		{"a trusted proxy", "10.0.0.1:1234", "203.0.113.5", "203.0.113.5"},
		{"what the caller forged stands before", "10.0.0.1:1234", "198.51.100.1, 203.0.113.5", "203.0.113.5"},
		{"two trusted proxies", "10.0.0.1:1234", "198.51.100.1, 203.0.113.5, 10.0.0.2", "203.0.113.5"},
		{"only proxies", "10.0.0.1:1234", "10.0.0.3", "10.0.0.3"},
		{"rubbish stops the reading", "10.0.0.1:1234", "203.0.113.5, rubbish", "10.0.0.1"},
		{"nothing forwarded", "10.0.0.1:1234", "", "10.0.0.1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1234", "2001:db8::1", "2001:db8::1"},
	} {
		h := &Handler{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := h.address(r); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	h := &Handler{}
	r := &http.Request{RemoteAddr: "10.0.0.1:1234", Header: http.Header{"X-Forwarded-For": {"203.0.113.5"}}}
	if got := h.address(r); got != "10.0.0.1" {
		t.Errorf("without trusted proxies: %q", got)
	}
}

// Every refusal has a status on both surfaces, and a code.
func TestStatusTable(t *testing.T) {
	for r := range statuses {
		for s := range statuses[r] {
			if statuses[r][s] < 400 || statuses[r][s] > 599 {
				t.Errorf("refusal %d (%s) on surface %d: status %d", r, oauth.Refusal(r).Code(), s, statuses[r][s])
			}
		}
	}
	if got := status(oauth.InvalidClient, page, true); got != 401 {
		t.Errorf("RFC6749-5.2-a: a wrong secret by Basic is %d, want 401", got)
	}
}

// C43: whoever reads the log may stand still; requests go on, and the log says
// what it lost.
func TestLinesNeverBlock(t *testing.T) {
	gate := make(chan struct{})
	out := &gated{gate: gate}
	l := NewLines(out)
	line := []byte(strings.Repeat("x", 1023) + "\n")
	done := make(chan struct{})
	go func() {
		for range 3 << 10 { // three times what may wait
			l.Write(line)
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a write waited for the reader of the log")
	}
	close(gate)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := out.b.String()
	if n := strings.Count(got, string(line)); n == 0 || n >= 3<<10 {
		t.Errorf("%d lines came through, want some but not all", n)
	}
}

func TestLinesSayWhatWasDropped(t *testing.T) {
	gate := make(chan struct{})
	out := &gated{gate: gate}
	l := NewLines(out)
	for range 3 {
		l.Write(make([]byte, maxLines/2+1))
	}
	close(gate)
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(out.text(), `"dropped":`) {
		if time.Now().After(deadline) {
			t.Fatal("no line says that lines were dropped")
		}
		time.Sleep(time.Millisecond)
	}
	l.Close()
}

// gated is a writer that stands still until its gate is closed.
type gated struct {
	gate chan struct{}
	mu   sync.Mutex
	b    strings.Builder
}

func (g *gated) Write(p []byte) (int, error) {
	<-g.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *gated) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// A JSON body under the type that curl -d sets is told what it is.
func TestJSONSentAsAForm(t *testing.T) {
	for body, want := range map[string]bool{`{"grant_type":"x"}`: true, " \n{": true, "grant_type=x": false, "": false, "a={": false} {
		r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err := readParams(httptest.NewRecorder(), r)
		if said := err != nil && strings.Contains(err.Error(), "looks like JSON"); said != want {
			t.Errorf("%q: %v", body, err)
		}
	}
}
