package main

import (
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	var lines, line strings.Builder
	for _, p := range []*progress{{w: &lines}, {w: &line, terminal: true}} {
		p.say("checking")
		for n := range int64(1001) {
			p.rows("copying", n, 1000)
		}
		p.rows("verifying", 10, 1000)
		p.end()
		p.end()
	}
	want := "symbolon: checking\nsymbolon: copying: 0 of 1000 rows (0 %)\nsymbolon: copying: 1000 of 1000 rows (100 %)\nsymbolon: verifying: 10 of 1000 rows (1 %)\n"
	if lines.String() != want {
		t.Errorf("elsewhere it says\n%s", &lines)
	}
	text := line.String()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\r\x1b[KCopying: 1000 of 1000 rows (100 %)\r\x1b[KVerifying: 10 of 1000 rows (1 %)\n") {
		t.Errorf("on a terminal it says %q", text)
	}
}
