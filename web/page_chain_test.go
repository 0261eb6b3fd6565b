package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// chain is a server whose consent form leads, by redirects, to an app's
// callback at a second origin and from there to a third.
type chain struct {
	server, app, third *httptest.Server
	// header is set on the consent page over its own headers.
	header http.Header
}

func newChain(t *testing.T, header http.Header) *chain {
	c := &chain{header: header}
	p := newPages(t)
	start := func(handle func(w http.ResponseWriter, r *http.Request)) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(handle))
		t.Cleanup(s.Close)
		return s
	}
	c.third = start(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>arrived</title><script>window.opener && window.opener.postMessage('connected', '*')</script>`)
	})
	c.app = start(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			http.Redirect(w, r, c.third.URL, http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>app</title><button id=go onclick="window.open('%s/consent', '', 'popup')">go</button>
			<script>addEventListener('message', e => document.title = e.data)</script>`, c.server.URL)
	})
	c.server = start(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/static/"):
			p.Static().ServeHTTP(w, r)
		case r.Method == http.MethodPost:
			http.Redirect(w, r, c.app.URL+"/callback", http.StatusSeeOther)
		default:
			rendered := httptest.NewRecorder()
			if err := p.Render(rendered, r, http.StatusOK, &ConsentPage{Flow: "sealed"}); err != nil {
				t.Error(err)
			}
			for _, from := range []http.Header{rendered.Header(), c.header} {
				for name, values := range from {
					w.Header()[name] = values
				}
			}
			_, _ = w.Write(rendered.Body.Bytes())
		}
	})
	return c
}

// formActionSelf is the consent page's policy with form-action 'self' in it.
func formActionSelf() http.Header {
	h := http.Header{}
	pageHeaders{}.set(h)
	return http.Header{"Content-Security-Policy": h["Content-Security-Policy"]}
}

const allow = chromedp.CSS(`button[value="allow"]`)

// Ledger SYM-HTTP-2: what follows the consent form is not stopped by its page's
// policy, even when the app's callback goes on to another origin. With
// form-action 'self' Chromium stops it: that is why it is left out.
func TestFormLeadsToAppInChromium(t *testing.T) {
	ctx := newChromium(t)
	for _, c := range []struct {
		name    string
		header  http.Header
		arrives bool
	}{
		{"as it is", nil, true},
		{"with form-action 'self'", formActionSelf(), false},
	} {
		chain := newChain(t, c.header)
		err := chromedp.Do(ctx, chromedp.Navigate(chain.server.URL+"/consent"), chromedp.Click(allow))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if arrived := becomes(ctx, `document.title === 'arrived'`, c.arrives); arrived != c.arrives {
			t.Errorf("%s: arrived is %v, want %v", c.name, arrived, c.arrives)
		}
	}
}

// An app that opened us in a popup hears from its callback there. With an
// opener policy on our page it would not.
func TestPopupKeepsItsOpenerInChromium(t *testing.T) {
	for _, c := range []struct {
		name   string
		header http.Header
		hears  bool
	}{
		{"as it is", nil, true},
		{"with Cross-Origin-Opener-Policy", http.Header{"Cross-Origin-Opener-Policy": {"same-origin"}}, false},
	} {
		ctx := newChromium(t)
		chain := newChain(t, c.header)
		opened := chromedp.WaitNewTarget(ctx, func(*target.Info) bool { return true })
		if err := chromedp.Do(ctx, chromedp.Navigate(chain.app.URL), chromedp.Click(chromedp.CSS("#go"))); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		popup, cancel := chromedp.NewContext(ctx, chromedp.WithTargetID(<-opened))
		if err := chromedp.Do(popup, chromedp.WaitVisible(allow), chromedp.Click(allow)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if heard := becomes(ctx, `document.title === 'connected'`, c.hears); heard != c.hears {
			t.Errorf("%s: heard is %v, want %v", c.name, heard, c.hears)
		}
		cancel()
	}
}

// becomes reports whether a condition comes true on a page: within ten seconds
// if that is hoped for, within one if not.
func becomes(ctx context.Context, condition string, hope bool) bool {
	tries := 10
	if hope {
		tries = 100
	}
	for range tries {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && ok {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}
