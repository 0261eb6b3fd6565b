package web

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/symbolon/symbolon"
)

// Pairs whose contrast is known, from WCAG's own examples and the corners.
func TestContrastRatio(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21}, {"#ffffff", "#ffffff", 1}, {"#777777", "#ffffff", 4.48}, {"#767676", "#ffffff", 4.54},
		{"#ff0000", "#ffffff", 4.00}, {"#0000ff", "#ffffff", 8.59}, {"#00ff00", "#000000", 15.30}, {"#010101", "#000000", 1.01},
	} {
		a, _ := parseColour(c.a)
		b, _ := parseColour(c.b)
		if got := a.contrastTo(b); math.Abs(got-c.want) > 0.006 || b.contrastTo(a) != got {
			t.Errorf("%s on %s: %.3f, want %.2f", c.a, c.b, got, c.want)
		}
	}
	if ratio(4.4999) != "4.49:1" {
		t.Error("too little looks enough")
	}
}

func TestColours(t *testing.T) {
	would := regexp.MustCompile(`(#[0-9a-f]{6}) would do`)
	for name, c := range map[string]struct {
		look Appearance
		want []string
	}{
		"a yellow for text":          {Appearance{Accent: "#ffcc00"}, []string{"accent #ffcc00", "light", "4.50:1"}},
		"nearly enough":              {Appearance{Accent: "#767676"}, []string{"accent #767676", "#f3f0e8"}},
		"a dark one for dark":        {Appearance{Accent: "#0d5c58", AccentDark: "#0d5c58"}, []string{"accent_dark #0d5c58", "dark"}},
		"a faint second":             {Appearance{Second: "#f0e0d0"}, []string{"second #f0e0d0", "3.00:1"}},
		"no colour":                  {Appearance{Accent: "teal"}, []string{`accent "teal"`, "#0d5c58"}},
		"a colour that ends the css": {Appearance{Accent: "#0d5c58;} body{}"}, []string{"accent"}},
		"a short one":                {Appearance{SecondDark: "#fff"}, []string{"second_dark"}},
		"no colour for dark":         {Appearance{AccentDark: "expression(1)"}, []string{"accent_dark"}},
	} {
		err := c.look.Check()
		if symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %s", name, err, want)
			}
		}
		// What would do, does.
		if m := would.FindStringSubmatch(err.Error()); m != nil {
			mended := c.look
			for _, field := range []*string{&mended.Accent, &mended.AccentDark, &mended.Second} {
				if *field != "" && strings.Contains(err.Error(), " "+*field+" stands out") {
					*field = m[1]
				}
			}
			if c.look.AccentDark != "" {
				mended.Accent, mended.AccentDark = c.look.Accent, m[1]
			}
			if err := mended.Check(); err != nil {
				t.Errorf("%s: %s would do, it was said: %v", name, m[1], err)
			}
		}
	}
	// Whatever is taken keeps to the contrast, on everything that it comes to stand on.
	g, err := grounds()
	if err != nil {
		t.Fatal(err)
	}
	for _, look := range []Appearance{{Accent: "#7a1fa2"}, {AccentDark: "#ffd54f", Second: "#c2185b"}, {Accent: "#000000"}, {Accent: "#00695c", AccentDark: "#ffffff", Second: "#b71c1c", SecondDark: "#ff8a80"}, {Second: "#0000ff"}} {
		css, err := look.style()
		if err != nil {
			t.Errorf("%+v: %v", look, err)
			continue
		}
		light, dark, _ := strings.Cut(css, "@media")
		for i, part := range []string{light, dark} {
			own := map[string]colour{}
			for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(part, -1) {
				own[m[1]], _ = parseColour(m[2])
			}
			if len(own) < 2 {
				t.Errorf("%s: %v", css, own)
			}
			for name, c := range own {
				switch name {
				case "app", "app-strong":
					if on, got := g[i].worst(c, "paper", "card", "sunk"); got < textContrast {
						t.Errorf("%s: %s on %s has %.2f", css, name, on, got)
					}
					if got := own["on-app"].contrastTo(c); got < textContrast {
						t.Errorf("%s: on-app on %s has %.2f", css, name, got)
					}
				case "account":
					if on, got := g[i].worst(c, "paper", "card"); got < shapeContrast {
						t.Errorf("%s: %s on %s has %.2f", css, name, on, got)
					}
					if got := own["on-account"].contrastTo(c); got < textContrast {
						t.Errorf("%s: on-account has %.2f", css, got)
					}
				}
			}
		}
	}
}

func FuzzColours(f *testing.F) {
	f.Add("#7a1fa2", "#ffd54f")
	f.Add("#ffcc00", "")
	f.Add("", "#123456;}")
	form := regexp.MustCompile(`^:root \{( --[a-z-]+: #[0-9a-f]{6};)+ \}\n@media \(prefers-color-scheme: dark\) \{ :root \{( --[a-z-]+: #[0-9a-f]{6};)+ \} \}\n$`)
	f.Fuzz(func(t *testing.T, light, dark string) {
		look := Appearance{Accent: light, AccentDark: dark}
		css, err := look.style()
		if err == nil && css != "" && !form.MatchString(css) {
			t.Errorf("%q, %q become %q", light, dark, css)
		}
	})
}

const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">`

// A logo is a picture: it runs nothing and fetches nothing.
func TestLogos(t *testing.T) {
	var small, big bytes.Buffer
	if err := png.Encode(&small, image.NewRGBA(image.Rect(0, 0, 20, 10))); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&big, image.NewGray(image.Rect(0, 0, 3000, 1))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		want    string // of the file name, or of the error
		good    bool
	}{
		"a plain SVG":          {`<?xml version="1.0" encoding="UTF-8"?><!-- x -->` + svgHead + `<defs><linearGradient id="g"/></defs><style>.a{fill:url(#g)}</style><path class="a" style="fill:url('#g')" d="M0 0"/><use xlink:href="#g"/></svg>`, ".svg", true},
		"a picture within":     {svgHead + `<image href="data:image/png;base64,AAAA"/></svg>`, ".svg", true},
		"a PNG":                {small.String(), ".png", true},
		"a big PNG":            {big.String(), "2048", false},
		"a broken PNG":         {small.String()[:20], "PNG", false},
		"a script":             {svgHead + `<script>alert(1)</script></svg>`, "<script>", false},
		"a script in capitals": {svgHead + `<SCRIPT>alert(1)</SCRIPT></svg>`, "<script>", false},
		"a script by a prefix": {`<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:script/></s:svg>`, "<script>", false},
		"an event":             {svgHead + `<g onload="alert(1)"/></svg>`, "onload", false},
		"an event on the root": {`<svg xmlns="http://www.w3.org/2000/svg" ONLOAD="x"/>`, "onload", false},
		"HTML within":          {svgHead + `<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject></svg>`, "foreignobject", false},
		"a link":               {svgHead + `<a href="#x"/></svg>`, "<a>", false},
		"a script's address":   {svgHead + `<use href="javascript:alert(1)"/></svg>`, "href", false},
		"SVG in a data URI":    {svgHead + `<image href="data:image/svg+xml;base64,AAAA"/></svg>`, "href", false},
		"a picture elsewhere":  {svgHead + `<image xlink:href="https://evil.example/x.png"/></svg>`, "href", false},
		"a style elsewhere":    {svgHead + `<style>@import "https://evil.example/x.css";</style></svg>`, "styles", false},
		"a fill elsewhere":     {svgHead + `<path fill="url(https://evil.example/#a)"/></svg>`, "fill", false},
		"a style sheet":        {`<?xml-stylesheet href="https://evil.example/x.css"?>` + svgHead + `</svg>`, "style sheet", false},
		"entities":             {`<!DOCTYPE svg [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>` + svgHead + `</svg>`, "entities", false},
		"an external entity":   {`<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + svgHead + `&x;</svg>`, "entities", false},
		"HTML":                 {`<html xmlns="http://www.w3.org/1999/xhtml"><script/></html>`, "neither", false},
		"no namespace":         {`<svg><path/></svg>`, "xmlns", false},
		"two roots":            {svgHead + `</svg><svg xmlns="http://www.w3.org/2000/svg"/>`, "outermost", false},
		"cut":                  {svgHead + `<g>`, "neither", false},
		"nothing":              {``, "neither", false},
		"a GIF":                {"GIF89a\x01\x00", "neither", false},
		"too long":             {svgHead + strings.Repeat(" ", maxLogo) + `</svg>`, "256 KiB", false},
		"too deep":             {svgHead + strings.Repeat("<g>", 200) + strings.Repeat("</g>", 200) + `</svg>`, "<g>", false},
	} {
		ext, err := pictureType([]byte(c.content))
		if (err == nil) != c.good || c.good && ext != c.want || !c.good && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, ext, err, c.want)
		}
	}
}

func FuzzLogo(f *testing.F) {
	f.Add([]byte(svgHead + `<path fill="url(#g)" d="M0 0"/></svg>`))
	f.Add([]byte(svgHead + `<style>a{}</style><use href="#g"/></svg>`))
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		ext, err := pictureType(content)
		if err != nil || ext != ".svg" {
			return
		}
		// As the most lenient of readers sees it.
		root, err := html.Parse(bytes.NewReader(content))
		if err != nil {
			return
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" || n.Data == "iframe" || n.Data == "foreignObject" {
				t.Errorf("%q has <%s>", content, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(strings.ToLower(a.Key), "on") {
					t.Errorf("%q has %s", content, a.Key)
				}
			}
		}
	})
}

func TestOwnersAppearance(t *testing.T) {
	var dark bytes.Buffer
	if err := png.Encode(&dark, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	p, err := NewPages("/auth", Appearance{Name: "Weather & Co", Logo: []byte(svgHead + `<path d="M0 0"/></svg>`), LogoDark: dark.Bytes(), Accent: "#7a1fa2", Privacy: "https://owner.example/privacy?a=b&c", Help: "https://owner.example/help"})
	if err != nil {
		t.Fatal(err)
	}
	page := drawn(t, p, &SignInPage{Flow: "f"})
	for _, want := range []string{"· Weather &amp; Co</title>", "<bdi>Weather &amp; Co</bdi> connects apps", `href="/auth/static/appearance.`, `src="/auth/static/logo.`, `srcset="/auth/static/logo_dark.`, `media="(prefers-color-scheme: dark)"`,
		`href="https://owner.example/privacy?a=b&amp;c"`, ">Privacy</a>", ">Help</a>", `alt=""`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "Symbolon") || strings.Contains(page, "Imprint") {
		t.Error("the page names what the owner has not")
	}
	if strings.Index(page, "static/style.") > strings.Index(page, "static/appearance.") {
		t.Error("the owner's colours come before ours, and lose")
	}
	for _, name := range []string{"logo.svg", "appearance.css", "logo_dark.png"} {
		w := httptest.NewRecorder()
		p.Static().ServeHTTP(w, httptest.NewRequest("GET", p.Static().URL(name), nil))
		csp := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "sandbox") || strings.Contains(csp, "script") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	for name, look := range map[string]Appearance{
		"a long name":          {Name: strings.Repeat("a", 61)},
		"a turning name":       {Name: "a\u202eb"},
		"a link by http":       {Imprint: "http://owner.example/"},
		"a link to a script":   {Help: "javascript:alert(1)"},
		"a link with a user":   {Terms: "https://a@owner.example/"},
		"a hidden name":        {Name: "Weather", HideName: true},
		"only a logo for dark": {LogoDark: dark.Bytes()},
		"a broken logo":        {Logo: []byte{}},
	} {
		if err := look.Check(); symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The style sheet says start and end, not left and right, so that it serves languages that
// are written from right to left. What cannot say so has a second rule for them.
func TestStyleIsLogical(t *testing.T) {
	raw, err := staticFiles.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	physical := regexp.MustCompile(`(?m)^\s*((margin|padding|border|scroll-margin|scroll-padding)-(left|right)[a-z-]*|left|right|border-(top|bottom)-(left|right)-radius)\s*:|(text-align|float|clear)\s*:\s*(left|right)|to (left|right)`)
	mirrored := regexp.MustCompile(`(?s)\[dir="rtl"\] [^{]*\{[^}]*`)
	for _, m := range physical.FindAllStringIndex(string(raw), -1) {
		text := string(raw[m[0]:m[1]])
		if strings.HasPrefix(text, "to ") && strings.Contains(mirrored.FindString(string(raw[strings.LastIndex(string(raw), "[dir=\"rtl\"] body::before"):])), "to left") {
			continue
		}
		t.Errorf("style.css, line %d: %s", 1+bytes.Count(raw[:m[0]], []byte("\n")), strings.TrimSpace(text))
	}
	if box := regexp.MustCompile(`(?m)^\s*(margin|padding|inset):\s*(\S+) (\S+) (\S+) (\S+);`); box.Match(raw) {
		for _, m := range box.FindAllStringSubmatch(string(raw), -1) {
			if m[3] != m[5] {
				t.Errorf("style.css: %s differs between left and right", strings.TrimSpace(m[0]))
			}
		}
	}
}
