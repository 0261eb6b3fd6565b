package main

import (
	"fmt"
	"io"
	"time"
)

// progress says on standard error how far something has come: on a terminal in one
// line that moves, and elsewhere in a line every few seconds.
type progress struct {
	w        io.Writer
	terminal bool
	what     string
	next     time.Time // before which nothing new is said
	open     bool      // the terminal's line has no end yet
}

// How often something is said, at most.
const (
	progressOnTerminal = 100 * time.Millisecond
	progressElsewhere  = 5 * time.Second
)

func (sh *shell) progress() *progress {
	_, ok := terminal(sh.stderr)
	return &progress{w: sh.stderr, terminal: ok}
}

// say says what is done now.
func (p *progress) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", upperFirst(text))
		p.open = true
		return
	}
	fmt.Fprintf(p.w, "symbolon: %s\n", text)
}

// rows says how many rows of all are done.
func (p *progress) rows(what string, done, total int64) {
	now := time.Now()
	if what == p.what && done < total && now.Before(p.next) {
		return
	}
	p.what = what
	p.next = now.Add(progressElsewhere)
	if p.terminal {
		p.next = now.Add(progressOnTerminal)
	}
	p.say("%s: %d of %s (%d %%)", what, done, count(int(total), "row", "rows"), 100*done/max(total, 1))
}

// end ends the line.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.w)
	}
	p.open = false
}
