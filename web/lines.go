package web

import (
	"io"
	"strconv"
	"sync"
	"time"
)

// Lines is a writer of log lines that never makes its callers wait: lines are
// gathered in memory and written by one goroutine, many at a time. When the
// reader of the log stands still and memory for maxLines bytes is full, further
// lines are dropped and counted; a line says how many.
type Lines struct {
	to   io.Writer
	done chan struct{}

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []byte // lines to be written; mu
	dropped int    // since the last line that said so; mu
	closed  bool   // mu
}

// linesPause is how long lines are gathered before they are written.
const linesPause = 5 * time.Millisecond

// maxLines bounds the lines that wait, in bytes.
const maxLines = 1 << 20

// NewLines returns a writer to w, which the caller must not write to itself.
func NewLines(w io.Writer) *Lines {
	l := &Lines{to: w, done: make(chan struct{})}
	l.wake = sync.NewCond(&l.mu)
	go l.run()
	return l
}

// Write takes one or more whole lines. It always succeeds.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	if l.closed || len(l.waiting)+len(line) > maxLines {
		l.dropped++
	} else {
		l.waiting = append(l.waiting, line...)
	}
	l.mu.Unlock()
	l.wake.Signal()
	return len(line), nil
}

// closePatience is how long Close waits for a log that no one reads.
const closePatience = 2 * time.Second

// Close writes what waits and ends the goroutine. When the reader of the log
// stands still, it gives up after a moment, so that a server can always stop.
func (l *Lines) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wake.Signal()
	select {
	case <-l.done:
	case <-time.After(closePatience):
	}
	return nil
}

func (l *Lines) run() {
	defer close(l.done)
	var spare []byte
	for {
		l.mu.Lock()
		for len(l.waiting) == 0 && l.dropped == 0 && !l.closed {
			l.wake.Wait()
		}
		if !l.closed {
			// Under load this saves a write for nearly every line; a person
			// who watches the log does not notice it.
			l.mu.Unlock()
			time.Sleep(linesPause)
			l.mu.Lock()
		}
		lines, closed := l.waiting, l.closed
		if l.dropped > 0 && !closed {
			lines = append(lines, `{"level":"WARN","msg":"log lines were dropped, since the log was not read","dropped":`...)
			lines = strconv.AppendInt(lines, int64(l.dropped), 10)
			lines = append(lines, "}\n"...)
			l.dropped = 0
		}
		l.waiting = spare[:0]
		l.mu.Unlock()
		if len(lines) == 0 && closed {
			return
		}
		_, _ = l.to.Write(lines) // there is nowhere to report it
		spare = lines
		if cap(spare) > maxLines/4 {
			spare = nil // it was a rush; give the memory back
		}
	}
}
