package oauth

import (
	"context"
	"time"

	"github.com/symbolon/symbolon"
)

// Whoever is told that something is over may rely on it at every node. Nodes do
// not know one another: each honours a token only by what it has read within the
// feed's bound, so that after SettleTime none goes by what was before.
//
// Which answers wait: those that say that something is over because the store
// said so (204 of step 6, 200 of revocation, a code or refresh token that was
// replayed or whose connection was ended, a registration that was changed or
// deleted), and signing out, since connections may end with a session. Which do
// not: a refusal of an access token by what this node knows. It is no promise
// about other nodes, and steps 4 and 6 refuse with it every token that is not good.

// maxSettling bounds how many requests wait at the same time. It is more than a
// node can end in that time; a request beyond it is answered 503, as one whose
// outcome is not known.
const maxSettling = 8192

const opSettle = "wait for the other nodes"

// settle waits until no node honours a connection any more, which the store has
// said is over and which was noted. An error means that this cannot be promised.
func (e *Engine) settle(ctx context.Context, id symbolon.ConnectionID) error {
	return e.settleSince(ctx, e.feed.heard(id))
}

// settleSince is settle for what was known to be durable at a moment, by the
// monotonic clock.
func (e *Engine) settleSince(ctx context.Context, known time.Duration) error {
	if !e.cfg.Shared {
		return nil
	}
	defer e.settling.Add(-1)
	if e.settling.Add(1) > maxSettling {
		return symbolon.Errorf(symbolon.Unknown, opSettle, "more than %d requests wait already", maxSettling)
	}
	return e.feed.settle(ctx, known)
}

// ended notes what the store has said is over, and returns the refusal that says
// so, once it is true everywhere.
func (e *Engine) ended(ctx context.Context, c *caller, id symbolon.ConnectionID, refusal *Error) error {
	e.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: id, At: c.now})
	if err := e.settle(ctx, id); err != nil {
		// Whoever hangs up does not keep a replay out of the log.
		return storeError(err).from(c.app.ID).detail(refusal.Detail)
	}
	return refusal
}

// endedSome is for a change after which only the store's changes say what has ended,
// which has just been made: this node reads them now, and the others are waited for.
func (e *Engine) endedSome(ctx context.Context) error {
	known := e.feed.now().mono
	if err := e.feed.Poll(ctx); err != nil {
		return err
	}
	return e.settleSince(ctx, known)
}

// settleApp is settle after a change of an app, which has just been made. The
// limits of registering bound how many wait in it.
func (e *Engine) settleApp(ctx context.Context) error {
	if !e.cfg.Shared {
		return nil
	}
	return e.feed.settle(ctx, e.feed.now().mono)
}

// settle waits until SettleTime has passed by the monotonic clock since known,
// when a commit was known to be durable. It holds nothing meanwhile. A caller who
// hangs up ends the wait, and undoes nothing; the error is then of kind Unknown,
// so that no answer of success can be made of it.
func (f *Feed) settle(ctx context.Context, known time.Duration) error {
	left := unsettled(known, f.now().mono, f.bound)
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return symbolon.Wrap(symbolon.Unknown, opSettle, ctx.Err())
	}
}

// heard returns when this node first noted that a connection is over, by the
// monotonic clock: the commit was not after it. What is over for another reason,
// or was forgotten, counts as heard now.
func (f *Feed) heard(id symbolon.ConnectionID) time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.firstNoted(id)
}
