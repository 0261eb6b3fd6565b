package web

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// colour is one of sRGB, each part from 0 to 1.
type colour [3]float64

var colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func parseColour(s string) (colour, bool) {
	var r, g, b uint8
	if !colourForm.MatchString(s) {
		return colour{}, false
	}
	_, err := fmt.Sscanf(s, "#%02x%02x%02x", &r, &g, &b)
	return colour{float64(r) / 255, float64(g) / 255, float64(b) / 255}, err == nil
}

func (c colour) String() string {
	part := func(v float64) uint8 { return uint8(math.Round(min(max(v, 0), 1) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// luminance is the relative luminance of WCAG 2.2, from 0 to 1.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrastTo is the contrast ratio of WCAG 2.2, from 1 to 21.
func (c colour) contrastTo(other colour) float64 {
	a, b := c.luminance(), other.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// mixed is the colour with a share of another, as it is written out.
func (c colour) mixed(other colour, share float64) colour {
	var m colour
	for i := range c {
		m[i] = c[i]*(1-share) + other[i]*share
	}
	exact, _ := parseColour(m.String())
	return exact
}

var black, white = colour{0, 0, 0}, colour{1, 1, 1}

// WCAG 2.2 AA: text (1.4.3), and controls and pictures that say something (1.4.11).
const (
	textContrast  = 4.5
	shapeContrast = 3
)

// ground is what an owner's colour stands on, in light or in dark.
type ground struct {
	scheme  string
	colours map[string]colour // of style.css
	away    colour            // towards which colours stand out more
}

// names are what pages call the colours that text stands on.
var groundNames = map[string]string{"paper": "the page", "card": "the card on it", "sunk": "the sunken part of it"}

// grounds are those of style.css.
func grounds() ([2]ground, error) {
	var g [2]ground
	raw, err := staticFiles.ReadFile("static/style.css")
	if err != nil {
		return g, err
	}
	light, dark, _ := strings.Cut(string(raw), "prefers-color-scheme: dark")
	g[0] = ground{scheme: "light", colours: paletteOf(light), away: black}
	g[1] = ground{scheme: "dark", colours: paletteOf(dark), away: white}
	return g, nil
}

var paletteLine = regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`)

// paletteOf reads the colours of the first block of a style sheet.
func paletteOf(css string) map[string]colour {
	_, block, _ := strings.Cut(css, ":root {")
	block, _, _ = strings.Cut(block, "}")
	colours := map[string]colour{}
	for _, m := range paletteLine.FindAllStringSubmatch(block, -1) {
		colours[m[1]], _ = parseColour(m[2])
	}
	return colours
}

// worst returns the ground of those named on which a colour stands out least.
func (g *ground) worst(c colour, on ...string) (name string, contrast float64) {
	contrast = math.Inf(1)
	for _, n := range on {
		if got := c.contrastTo(g.colours[n]); got < contrast {
			name, contrast = n, got
		}
	}
	return name, contrast
}

// fit returns the nearest colour that stands out enough: the same, or mixed with black
// or white by steps of a fiftieth.
func (g *ground) fit(c colour, limit float64, on ...string) colour {
	for share := 0.0; share < 1; share += 0.02 {
		if m := c.mixed(g.away, share); func() bool { _, got := g.worst(m, on...); return got >= limit }() {
			return m
		}
	}
	return g.away
}

// ownColour is a colour that the owner may set: what it is called there, which colours
// of style.css come of it, and what it must stand out from, by how much.
type ownColour struct {
	setting string
	limit   float64
	what    string
	on      []string
}

// style returns the owner's colours as a style sheet, or "" when there are none.
func (a *Appearance) style() (string, error) {
	if a.Accent == "" && a.AccentDark == "" && a.Second == "" && a.SecondDark == "" {
		return "", nil
	}
	g, err := grounds()
	if err != nil {
		return "", err
	}
	accent := ownColour{"accent", textContrast, "text, as that of links, needs", []string{"paper", "card", "sunk"}}
	second := ownColour{"second", shapeContrast, "a picture that says something needs", []string{"paper", "card"}}
	rules := [2]map[string]string{{}, {}}
	for _, c := range []struct {
		of          ownColour
		light, dark string
		front       string // of style.css
	}{{accent, a.Accent, a.AccentDark, "app"}, {second, a.Second, a.SecondDark, "account"}} {
		if c.light == "" && c.dark == "" {
			continue
		}
		for i, written := range []string{c.light, c.dark} {
			got, err := g[i].own(c.of, i, written, c.light+c.dark)
			if err != nil {
				return "", err
			}
			on := white
			if black.contrastTo(got) > white.contrastTo(got) {
				on = black
			}
			rules[i][c.front], rules[i]["on-"+c.front] = got.String(), on.String()
			if c.front == "app" {
				rules[i]["app-strong"] = got.mixed(g[i].away, 0.3).String()
			}
		}
	}
	block := func(rules map[string]string) string {
		var b strings.Builder
		for _, name := range []string{"app", "app-strong", "on-app", "account", "on-account"} {
			if value := rules[name]; value != "" {
				fmt.Fprintf(&b, " --%s: %s;", name, value)
			}
		}
		return ":root {" + b.String() + " }"
	}
	return block(rules[0]) + "\n@media (prefers-color-scheme: dark) { " + block(rules[1]) + " }\n", nil
}

// own returns a colour as it was written, or, where only that of the other scheme was,
// one that fits beside it. The error says which colour would do.
func (g *ground) own(of ownColour, scheme int, written, other string) (colour, error) {
	setting := of.setting
	if scheme == 1 {
		setting += "_dark"
	}
	if written == "" {
		c, ok := parseColour(other)
		if !ok {
			return c, nil // which its own setting says
		}
		return g.fit(c, of.limit, of.on...), nil
	}
	c, ok := parseColour(written)
	if !ok {
		return c, fmt.Errorf("%s %q is no colour; write it as #0d5c58", setting, written)
	}
	if on, got := g.worst(c, of.on...); got < of.limit {
		return c, fmt.Errorf("%s %s stands out by %s from %s (%s) on %s screens, and %s %s (WCAG 2.2 AA); %s would do",
			setting, c, ratio(got), groundNames[on], g.colours[on], g.scheme, of.what, ratio(of.limit), g.fit(c, of.limit, of.on...))
	}
	return c, nil
}

// ratio writes a contrast, cut and not rounded: what is too little must not look enough.
func ratio(v float64) string { return fmt.Sprintf("%.2f:1", math.Floor(v*100)/100) }
