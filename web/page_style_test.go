package web

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

// The palette keeps WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for the bounds of
// controls and for pictures that say something (1.4.11).
func TestContrast(t *testing.T) {
	raw, err := staticFiles.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light := palette(string(raw), 0)
	dark := palette(string(raw), strings.Index(string(raw), "prefers-color-scheme: dark"))
	type pair struct{ front, back string }
	text := []pair{{"ink", "paper"}, {"ink", "card"}, {"ink", "sunk"}, {"soft", "paper"}, {"soft", "card"}, {"soft", "sunk"},
		{"app", "paper"}, {"app", "card"}, {"app", "sunk"}, {"app-strong", "paper"}, {"app-strong", "card"}, {"app-strong", "sunk"},
		{"on-app", "app"}, {"on-app", "app-strong"}, {"on-account", "account"},
		{"on-danger", "danger"}, {"on-caution", "caution"}, {"on-good", "good"}, {"on-note", "note"}, {"on-mark", "mark"}}
	for i := range 6 {
		text = append(text, pair{fmt.Sprintf("on-tint-%d", i), fmt.Sprintf("tint-%d", i)})
	}
	shapes := []pair{{"edge", "card"}, {"edge", "paper"}, {"edge", "sunk"}, {"app", "card"}, {"account", "card"}, {"account", "paper"},
		{"danger-edge", "card"}, {"danger-edge", "danger"}, {"caution-edge", "card"}}
	for name, colours := range map[string]map[string]string{"light": light, "dark": dark} {
		for limit, pairs := range map[float64][]pair{4.5: text, 3: shapes} {
			for _, p := range pairs {
				front, back := colours[p.front], colours[p.back]
				if front == "" || back == "" {
					t.Errorf("%s: no colour %s or %s", name, p.front, p.back)
				} else if got := contrast(t, front, back); got < limit {
					t.Errorf("%s: %s on %s has %.2f, want %.1f", name, p.front, p.back, got, limit)
				}
			}
		}
	}
	if len(dark) != len(light) {
		t.Errorf("%d colours in light, %d in dark", len(light), len(dark))
	}
}

// Every colour that the style sheet names is one of the palette.
func TestColoursAreOfThePalette(t *testing.T) {
	raw, err := staticFiles.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*--([a-z0-9-]+):`).FindAllStringSubmatch(string(raw), -1) {
		known[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`var\(--([a-z0-9-]+)\)`).FindAllStringSubmatch(string(raw), -1) {
		if !known[m[1]] {
			t.Errorf("--%s is used and never set", m[1])
		}
	}
	rules := string(raw[strings.Index(string(raw), "/* The ground. */"):])
	if m := regexp.MustCompile(`(?m)^.*:\s*#[0-9a-f]{3,8};`).FindString(rules); m != "" {
		t.Errorf("a colour outside the palette: %s", m)
	}
}

// palette reads the colours of the first :root block after a place.
func palette(css string, from int) map[string]string {
	block := css[from:]
	block = block[strings.Index(block, ":root {"):]
	block = block[:strings.Index(block, "}")]
	colours := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block, -1) {
		colours[m[1]] = m[2]
	}
	return colours
}

// contrast is the contrast ratio of WCAG 2.2.
func contrast(t *testing.T, a, b string) float64 {
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	var r, g, b uint8
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatal(err)
	}
	linear := func(v uint8) float64 {
		if s := float64(v) / 255; s > 0.04045 {
			return math.Pow((s+0.055)/1.055, 2.4)
		} else {
			return s / 12.92
		}
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
