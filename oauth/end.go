package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

// clocksApart is how far the clocks of two nodes may differ: what ends for all at
// once ends what a node that is ahead by no more has just made.
const clocksApart = 300 * time.Millisecond

// End ends what a person, or whoever owns an app, wants to be over: everywhere, when
// it returns. It counts what it ended as Store.End does. End.Now is set here.
//
// What has connected between the reading of the clock and the commit was born after
// that reading, so what ends for all at once ends a second time: nothing made before
// the first commit can be born after it. What is deleted has no second time, and
// nothing to come: it is over as of a little later.
func (e *Engine) End(ctx context.Context, end symbolon.End) (int, error) {
	spend := context.WithoutCancel(ctx)
	apart := 2 * time.Millisecond // times are whole milliseconds
	if e.cfg.Shared {
		apart = clocksApart
	}
	end.Now = e.clock.Now()
	if end.Delete {
		end.Now = end.Now.Add(apart)
	}
	n, err := e.store.End(spend, end)
	if err != nil {
		return 0, storeError(err)
	}
	one := end.Connection != symbolon.ConnectionID{} || end.Browser != [32]byte{} || end.Session != symbolon.SessionID{}
	if !one && !end.Delete {
		time.Sleep(apart)
		end.Now = e.clock.Now()
		again, err := e.store.End(spend, end)
		if err != nil {
			return n, storeError(err)
		}
		if end.Account != "" && end.Client != "" {
			n += again // of the pair, one by one
		} else {
			n = max(n, again)
		}
	}
	if n == 0 && one {
		return 0, nil
	}
	e.announced()
	// What ended, the changes say.
	if err := e.endedSome(ctx); err != nil {
		return n, storeError(err)
	}
	return n, nil
}

// EndConnection ends one connection. What was allowed is forgotten with the last one
// between the two, so that the app has to ask again.
func (e *Engine) EndConnection(ctx context.Context, c *symbolon.Connection, reason symbolon.Reason) (int, error) {
	end := symbolon.End{Connection: c.ID, Reason: reason}
	live, err := e.store.Connections(ctx, symbolon.ConnectionQuery{Account: c.Account, Client: c.Client, Live: true, Now: e.clock.Now(), Limit: 2})
	if err != nil {
		return 0, storeError(err)
	}
	if len(live) == 0 || len(live) == 1 && live[0].ID == c.ID {
		end = symbolon.End{Account: c.Account, Client: c.Client, Reason: reason}
	}
	return e.End(ctx, end)
}
