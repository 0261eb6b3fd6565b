package oauth

import (
	"context"

	"github.com/symbolon/symbolon"
)

// What a person may do with their own connections and sessions. Whatever is said here
// to be over is over at every node when the method returns.

// tells reports whether the webhook of an app is told of events of a kind.
func tells(app *symbolon.App, kind symbolon.EventKind) bool {
	return app.Settings.Webhook != nil && app.Settings.Webhook.Mask()&kind.Bit() != 0
}

// announced says that there may be something to tell apps.
func (e *Engine) announced() {
	if e.cfg.SignedOut != nil {
		e.cfg.SignedOut()
	}
}

// EndConnection ends a connection of the account, for the reason ByPerson. The error is
// of kind NotFound when the account has no such connection; that it has ended before is
// no error.
func (e *Engine) EndConnection(ctx context.Context, account symbolon.AccountID, id symbolon.ConnectionID) error {
	const op = "end connection"
	if account == "" || id == (symbolon.ConnectionID{}) {
		return symbolon.Errorf(symbolon.NotFound, op, "no connection is named")
	}
	rows, err := e.store.Connections(ctx, symbolon.ConnectionQuery{ID: id, Account: account, Limit: 1})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return symbolon.Errorf(symbolon.NotFound, op, "account %s has no connection %s", account, id)
	}
	now := e.clock.Now()
	if _, err := e.store.End(context.WithoutCancel(ctx), symbolon.End{Connection: id, Reason: symbolon.ByPerson, Now: now}); err != nil {
		return err
	}
	e.announced()
	e.feed.Note(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: id, Account: account, Client: rows[0].Client, At: now})
	return e.settle(ctx, id)
}

// EndApp ends every connection of the account to an app, for the reason ByPerson, and
// forgets what the account has allowed it.
func (e *Engine) EndApp(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) error {
	if account == "" || client == "" {
		return symbolon.Errorf(symbolon.NotFound, "end app", "account or app is not named")
	}
	end := symbolon.End{Account: account, Client: client, Reason: symbolon.ByPerson, Now: e.clock.Now()}
	n, err := e.store.End(context.WithoutCancel(ctx), end)
	if err != nil || n == 0 {
		return err
	}
	e.announced()
	return e.endedSome(ctx)
}

// EndSession ends one session of the account, in whichever browser, with what ends with
// it: see SignOut. That there is none such is no error.
func (e *Engine) EndSession(ctx context.Context, account symbolon.AccountID, session symbolon.SessionID) error {
	if account == "" || session == (symbolon.SessionID{}) {
		return symbolon.Errorf(symbolon.NotFound, "end session", "no session is named")
	}
	end := symbolon.End{Session: session, Account: account, Reason: symbolon.BySignOut, Now: e.clock.Now()}
	n, err := e.store.End(context.WithoutCancel(ctx), end)
	if err != nil || n == 0 {
		return err
	}
	e.announced()
	return e.endedSome(ctx)
}
