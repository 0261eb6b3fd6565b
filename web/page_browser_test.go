package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/symbolon/symbolon/internal/browsertest"
)

// newChromium starts a headless Chromium of its own and returns its context, or
// fails the test where there is none.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	ctx, stop, err := browsertest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	limit := 4 * time.Minute
	if os.Getenv("SYMBOLON_SHOTS") != "" || os.Getenv("SYMBOLON_LONG") != "" { // all of it takes longer
		limit = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	return ctx
}

// serveSamples serves sample n of pageSamples at /n, with the headers of real
// pages, in the language of ?lang.
func serveSamples(t *testing.T, p *Pages) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".js") {
			w.Header().Set("Content-Type", "text/javascript") // of nothing: one of them leaves its page
			return
		}
		p.Static().ServeHTTP(w, r)
	})
	for i, sample := range pageSamples() {
		mux.HandleFunc(fmt.Sprintf("GET /%d", i), func(w http.ResponseWriter, r *http.Request) {
			lang := cmp.Or(r.URL.Query().Get("lang"), firstLanguage)
			if err := p.render(w, r, http.StatusOK, sample, lang, r.URL.RequestURI()); err != nil {
				t.Error(err)
			}
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// screen is what a page is looked at on: pixels and a colour scheme.
type screen struct {
	name          string
	width, height int64
	scheme        string
	scale         float64 // pixels of the picture a pixel of the page
}

// onPage is what a look at a page in a browser finds.
type onPage struct {
	Overflow int      // how many pixels it scrolls sideways
	Small    []string // controls of less than 24 × 24 pixels
	Headings int      // how many h1
	Styled   bool     // the style sheet has come
	Unnamed  []string // controls without a name
}

const look = `(() => {
  const box = e => e.getBoundingClientRect();
  const say = e => e.outerHTML.slice(0, 80);
  const seen = e => { const b = box(e); return b.width > 1 && b.height > 1 && e.checkVisibility(); };
  const controls = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary')].filter(seen);
  return {
    Overflow: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
    Small: controls.filter(e => !e.closest('p:not(.site):not(.actions):not(.field):not(.aside), dd, li > span') && (box(e).width < 24 || box(e).height < 24)).map(say),
    Headings: document.querySelectorAll('h1').length,
    Styled: getComputedStyle(document.querySelector('main')).maxWidth !== 'none',
    Unnamed: controls.filter(e => !(e.innerText || e.ariaLabel || (e.labels && e.labels.length))).map(say),
  };
})()`

// TestPagesInChromium opens every page with every sample, on a phone and on
// a desktop, one in light and one in dark; “make test-long” takes both in both.
// SYMBOLON_SHOTS names a directory to keep the pictures in. The fullest sample of each
// page is held to axe-core, and by “make test-long” every one.
func TestPagesInChromium(t *testing.T) {
	ctx := newChromium(t)
	pages := newPages(t)
	server := serveSamples(t, pages)
	shots := os.Getenv("SYMBOLON_SHOTS")
	axe, err := os.ReadFile("../.tools/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("there is no axe-core; “make setup” fetches it: %v", err)
	}
	err = chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *log.EventEntryAdded: // refusals of the content security policy, among others
			t.Errorf("the browser says: %s %s", ev.Entry.Text, ev.Entry.URL)
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %s", ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	screens := []screen{
		{"phone-light", 320, 640, "light", 1},
		{"desktop-dark", 1280, 860, "dark", 1},
	}
	long := os.Getenv("SYMBOLON_LONG") != ""
	if shots != "" || long {
		screens = append(screens,
			screen{"phone-dark", 390, 800, "dark", 1},
			screen{"desktop-light", 1280, 860, "light", 1})
	}
	full := map[int]bool{}
	for _, i := range fullestSamples(t, pages) {
		full[i] = true
	}
	for _, screen := range screens {
		for i, sample := range pageSamples() {
			name := fmt.Sprintf("%02d-%s-%s", i, sample.template(), screen.name)
			if err := show(ctx, screen, fmt.Sprintf("%s/%d", server.URL, i)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[onPage](look))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if found.Overflow > 0 || len(found.Small) > 0 || found.Headings != 1 || !found.Styled || len(found.Unnamed) > 0 {
				t.Errorf("%s: %+v", name, found)
			}
			if full[i] || long {
				runAxe(ctx, t, name, axe)
			}
			if shots != "" {
				keepShot(ctx, t, filepath.Join(shots, name+".png"))
			}
		}
	}
}

// TestLanguagesInChromium opens every page in Czech, whose words are longer, and from
// right to left, on a phone. SYMBOLON_SHOTS keeps pictures of both, and of an owner's look.
func TestLanguagesInChromium(t *testing.T) {
	texts := pseudo(t, "ar-XB")
	for name, file := range pseudo(t, "ar-XB") {
		// In letters that run from right to left, as far as there are some for ours.
		file.Data = regexp.MustCompile(`⟦[^⟧]*⟧`).ReplaceAllFunc(file.Data, func(s []byte) []byte {
			inside, escaped := 0, false
			return bytes.Map(func(r rune) rune {
				if escaped { // the n of a line's end in a letter
					escaped = false
					return r
				}
				switch {
				case r == '\\':
					escaped = true
				case r == '⟦' || r == '⟧':
					return -1
				case r == '{':
					inside++
				case r == '}':
					inside--
				case inside == 0 && 'a' <= r && r <= 'z':
					return []rune("אבגדהוזחטיכלמנסעפצקרשתךםןף")[r-'a']
				case inside == 0 && 'A' <= r && r <= 'Z':
					return []rune("אבגדהוזחטיכלמנסעפצקרשתךםןף")[r-'A']
				}
				return r
			}, s)
		})
		texts[name] = file
	}
	pages, err := NewPages("", Appearance{Texts: texts})
	if err != nil {
		t.Fatal(err)
	}
	own, err := NewPages("", Appearance{Name: "Weather Station", Logo: []byte(svgHead + `<circle cx="5" cy="5" r="5" fill="#7a1fa2"/></svg>`), Accent: "#7a1fa2", Second: "#c2185b",
		Imprint: "https://owner.example/", Privacy: "https://owner.example/", Terms: "https://owner.example/", Help: "https://owner.example/"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := newChromium(t)
	shots := os.Getenv("SYMBOLON_SHOTS")
	screens := []screen{{"phone-light", 320, 640, "light", 1}}
	if shots != "" {
		screens = append(screens, screen{"desktop-dark", 1280, 860, "dark", 1}, screen{"phone-dark", 390, 800, "dark", 1}, screen{"desktop-light", 1280, 860, "light", 1})
	}
	for _, c := range []struct {
		name, lang string
		pages      *Pages
	}{{"cs", "cs", pages}, {"rtl", "ar-XB", pages}, {"own", "cs", own}} {
		server := serveSamples(t, c.pages)
		for _, screen := range screens {
			seen := map[string]bool{}
			for i, sample := range pageSamples() {
				again := seen[sample.template()] && sample.template() != "consent"
				seen[sample.template()] = true
				if sample.headers().English || shots == "" && (again || c.name == "own" && i > 3) {
					continue
				}
				name := fmt.Sprintf("%s-%02d-%s-%s", c.name, i, sample.template(), screen.name)
				if err := show(ctx, screen, fmt.Sprintf("%s/%d?lang=%s", server.URL, i, c.lang)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				found, err := chromedp.Run(ctx, chromedp.Evaluate[onPage](look))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if found.Overflow > 0 || len(found.Small) > 0 || found.Headings != 1 || !found.Styled || len(found.Unnamed) > 0 {
					t.Errorf("%s: %+v", name, found)
				}
				if shots != "" {
					keepShot(ctx, t, filepath.Join(shots, name+".png"))
				}
			}
		}
	}
}

// show opens a page on a screen.
func show(ctx context.Context, on screen, url string) error {
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: on.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	if err != nil {
		return err
	}
	return chromedp.Do(ctx, chromedp.EmulateViewport(on.width, on.height, chromedp.EmulateScale(on.scale)), chromedp.Navigate(url))
}

// runAxe runs axe-core against the page that is open and reports what it finds.
func runAxe(ctx context.Context, t *testing.T, name string, axe []byte) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](string(axe)+";0")); err != nil {
		t.Fatalf("%s: axe: %v", name, err)
	}
	violations, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run({resultTypes: ['violations']}).then(r =>
		r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join(' | ')))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: axe: %v", name, err)
	}
	for _, v := range violations {
		t.Errorf("%s: axe: %s", name, v)
	}
}

// keepShot writes a picture of the whole page.
func keepShot(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
