//go:build linux

package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is one or two panels with the same lines, over numbers of connections.
type chart struct {
	title  string
	alt    string // what it shows, for who does not see it
	panels []panel
}

// panel is one pair of axes: numbers of connections, each ten times the one before
// it, and values from 0.
type panel struct {
	title string  // with the unit
	goal  float64 // below which the values shall be, or 0
	lines []line
}

// line is one server's values.
type line struct {
	name   string
	points []point
}

type point struct{ connections, value float64 }

// Places on a chart, in pixels.
const (
	chartWidth  = 860
	chartHeight = 420
	plotTop     = 104
	plotBottom  = 360
	plotLeft    = 62 // from the left of its panel
	plotRight   = 22
)

// The look of charts, light and dark. Lines differ by mark and dash as well as by
// colour.
const chartStyle = `
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}
.t{font-size:17px;font-weight:600}.p{font-weight:600}.n{fill:#57606a}.e{text-anchor:end}.m{text-anchor:middle}
.h{paint-order:stroke;stroke:#ffffff;stroke-width:5px;stroke-linejoin:round}
.b{fill:#ffffff}.g{stroke:#d8dee4}.a{stroke:#6e7781}.goal{stroke:#57606a;stroke-dasharray:2 4}
.l{fill:none;stroke-width:2.5}.l0{stroke:#0969da}.l1{stroke:#bc4c00;stroke-dasharray:9 4}.l2{stroke:#1a7f37;stroke-dasharray:3 3}.l3{stroke:#6e7781;stroke-dasharray:1 4}
.m0{fill:#0969da}.m1{fill:#bc4c00}.m2{fill:#1a7f37}.m3{fill:#6e7781}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.n{fill:#9da7b1}.b{fill:#0d1117}.h{stroke:#0d1117}.g{stroke:#30363d}.a{stroke:#8b949e}.goal{stroke:#9da7b1}
.l0{stroke:#58a6ff}.l1{stroke:#f0883e}.l2{stroke:#56d364}.l3{stroke:#8b949e}
.m0{fill:#58a6ff}.m1{fill:#f0883e}.m2{fill:#56d364}.m3{fill:#8b949e}}
`

// svg draws the chart.
func (c chart) svg() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title alt">`,
		chartWidth, chartHeight, chartWidth, chartHeight)
	fmt.Fprintf(&b, "\n<title id=\"title\">%s</title>\n<desc id=\"alt\">%s</desc>\n<style>%s</style>\n",
		html.EscapeString(c.title), html.EscapeString(c.alt), chartStyle)
	fmt.Fprintf(&b, `<rect class="b" width="%d" height="%d" rx="8"/>`+"\n", chartWidth, chartHeight)
	text(&b, "t", 16, 30, c.title)
	c.legend(&b)
	width := float64(chartWidth) / float64(len(c.panels))
	for i, p := range c.panels {
		p.draw(&b, float64(i)*width, width)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func text(b *strings.Builder, class string, x, y float64, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}

// legend names the lines in one row. They are those of the first panel.
func (c chart) legend(b *strings.Builder) {
	x := 16.0
	for i, l := range c.panels[0].lines {
		fmt.Fprintf(b, `<path class="l l%d" d="M%.1f 54h34"/>`, i, x)
		mark(b, i, x+17, 54)
		text(b, "", x+42, 58.5, l.name)
		x += 42 + 7.4*float64(len([]rune(l.name))) + 26
	}
}

// mark draws the mark of line i: a disc, a square, a triangle, a diamond.
func mark(b *strings.Builder, i int, x, y float64) {
	shape := []string{
		`<circle class="m%d" cx="%.1f" cy="%.1f" r="4.5"/>`,
		`<path class="m%d" d="M%.1f %.1fm-4.5-4.5h9v9h-9z"/>`,
		`<path class="m%d" d="M%.1f %.1fm0-5.5l5.5 9.5h-11z"/>`,
		`<path class="m%d" d="M%.1f %.1fm0-5l5 5-5 5-5-5z"/>`,
	}[i%4]
	fmt.Fprintf(b, shape+"\n", i%4, x, y)
}

// draw draws the panel between left and left+width.
func (p panel) draw(b *strings.Builder, left, width float64) {
	from, to, top := p.span()
	x0, x1 := left+plotLeft, left+width-plotRight
	atX := func(connections float64) float64 {
		return x0 + 14 + (math.Log10(connections)-from)/math.Max(to-from, 1e-9)*(x1-x0-28)
	}
	step := niceStep(top)
	top = math.Ceil(top/step) * step
	atY := func(value float64) float64 { return plotBottom - value/top*(plotBottom-plotTop) }

	text(b, "p", left+16, plotTop-16, p.title)
	for v := 0.0; v <= top+step/2; v += step {
		class := "g"
		if v == 0 {
			class = "a"
		}
		fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1fH%.1f"/>`, class, x0, atY(v), x1)
		text(b, "n e", x0-8, atY(v)+4.5, short(v))
	}
	for power := math.Ceil(from); power <= to; power++ {
		x := atX(math.Pow(10, power))
		fmt.Fprintf(b, `<path class="a" d="M%.1f %dv5"/>`, x, plotBottom)
		text(b, "n m", x, plotBottom+20, short(math.Pow(10, power)))
	}
	text(b, "n m", (x0+x1)/2, plotBottom+42, "connections in the store")
	if p.goal > 0 {
		fmt.Fprintf(b, `<path class="goal" d="M%.1f %.1fH%.1f"/>`, x0, atY(p.goal), x1)
	}
	for i, l := range p.lines {
		var path strings.Builder
		for n, at := range l.points {
			command := "L"
			if n == 0 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, atX(at.connections), atY(at.value))
		}
		fmt.Fprintf(b, `<path class="l l%d" d="%s"/>`+"\n", i%4, path.String())
		for _, at := range l.points {
			mark(b, i, atX(at.connections), atY(at.value))
		}
	}
	if p.goal > 0 {
		text(b, "n m h", (x0+x1)/2, atY(p.goal)-6, "goal: below "+short(p.goal))
	}
}

// span returns the powers of ten between which the points lie, and the highest
// value.
func (p panel) span() (from, to, top float64) {
	from, to, top = math.Inf(1), math.Inf(-1), 1.1*p.goal
	for _, l := range p.lines {
		for _, at := range l.points {
			power := math.Log10(at.connections)
			from, to, top = min(from, power), max(to, power), max(top, at.value)
		}
	}
	if math.IsInf(from, 0) {
		return 0, 1, 1
	}
	return from, to, max(top, 1e-9)
}

// niceStep returns a step of 1, 2 or 5 times a power of ten, of which four to
// nine reach the top.
func niceStep(top float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(top/4)))
	for _, times := range []float64{5, 2} {
		if top/(step*times) >= 4 {
			return step * times
		}
	}
	return step
}

// short writes a round number as people say it: 200, 10 k, 1.5 M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return trimmed(v/1e6) + " M"
	case v >= 1e3:
		return trimmed(v/1e3) + " k"
	}
	return trimmed(v)
}

func trimmed(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
