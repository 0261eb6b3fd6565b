package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

// ClocksApart is how far the clocks of two nodes may differ: what ends for all at
// once ends what a node that is ahead by no more has just made.
const ClocksApart = 300 * time.Millisecond

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
		apart += ClocksApart
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

// EndConnection ends one connection, as EndOf says.
func (e *Engine) EndConnection(ctx context.Context, c *symbolon.Connection, reason symbolon.Reason) (int, error) {
	end, err := EndOf(ctx, e.store, c, reason, e.clock.Now())
	if err != nil {
		return 0, storeError(err)
	}
	return e.End(ctx, end)
}

// EndOf returns the change that ends one connection. Where no other lives between its
// account and its app, what the person had allowed is forgotten too, which the store does
// for the pair: so the app has to ask again.
func EndOf(ctx context.Context, store symbolon.Store, c *symbolon.Connection, reason symbolon.Reason, now time.Time) (symbolon.End, error) {
	live, err := store.Connections(ctx, symbolon.ConnectionQuery{Account: c.Account, Client: c.Client, Live: true, Now: now, Limit: 2})
	if err != nil {
		return symbolon.End{}, err
	}
	if len(live) == 0 || len(live) == 1 && live[0].ID == c.ID {
		return symbolon.End{Account: c.Account, Client: c.Client, Reason: reason, Now: now}, nil
	}
	return symbolon.End{Connection: c.ID, Reason: reason, Now: now}, nil
}
