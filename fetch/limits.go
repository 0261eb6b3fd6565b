package fetch

import (
	"time"

	"github.com/symbolon/symbolon"
)

// limits bound what strangers can make us fetch. They are guarded by the
// client's lock, except that running is lowered under it again by release.
type limits struct {
	options Options
	running chan struct{} // full with AtOnce fetches

	until  time.Time // when the minute is over
	begun  int
	byHost map[string]*hostLimit
}

type hostLimit struct {
	begun   int
	running chan struct{}
}

func newLimits(o Options) *limits {
	return &limits{options: o, running: make(chan struct{}, o.AtOnce), byHost: make(map[string]*hostLimit)}
}

// begin counts a fetch and returns what ends it. The error is of kind Busy.
func (l *limits) begin(host string, now time.Time) (release func(), err error) {
	if !now.Before(l.until) {
		l.until, l.begun = now.Add(time.Minute), 0
		for name, h := range l.byHost {
			if h.begun = 0; len(h.running) == 0 {
				delete(l.byHost, name)
			}
		}
	}
	h := l.byHost[host]
	if h == nil {
		// There are at most PerMinute of these, and those still running.
		h = &hostLimit{running: make(chan struct{}, l.options.HostAtOnce)}
	}
	busy := func(why string) (func(), error) { return nil, symbolon.Errorf(symbolon.Busy, op, "%s", why) }
	switch {
	case l.begun >= l.options.PerMinute:
		return busy("too many documents were fetched in this minute")
	case h.begun >= l.options.HostPerMinute:
		return busy("too many documents were fetched from this host in this minute")
	}
	select {
	case l.running <- struct{}{}:
	default:
		return busy("too many documents are being fetched")
	}
	select {
	case h.running <- struct{}{}:
	default:
		<-l.running
		return busy("too many documents are being fetched from this host")
	}
	l.byHost[host] = h
	l.begun++
	h.begun++
	return func() { <-h.running; <-l.running }, nil
}
