package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// What an app may do with its registration later (RFC 7592), and what becomes of
// one that no one has used.

// registered returns the app that a registration access token is for (RFC 7592
// §3).
func (e *Engine) registered(ctx context.Context, clientID, token string) (*symbolon.App, error) {
	if token == "" {
		return nil, refuse(MissingToken, "The registration_access_token of the app is missing; send it in the Authorization header, of the scheme Bearer, or register a new app by POST.")
	}
	// RFC 7592 §2.1: an app that is not there is answered as a wrong token is.
	stale := refuse(InvalidToken, "The registration_access_token is not that of this app, or the app is no longer registered.")
	if !e.isSealedApp(clientID) {
		return nil, stale
	}
	app, err := e.App(ctx, symbolon.ClientID(clientID))
	if err != nil {
		if r := storeError(err); r.Refusal == Unavailable || r.Refusal == ServerError {
			return nil, r
		}
		return nil, stale
	}
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], app.Settings.Registration.Token) != 1 {
		return nil, stale.from(app.ID)
	}
	return app, nil
}

// Registered returns what an app is registered with (RFC 7592 §2.1).
func (e *Engine) Registered(ctx context.Context, clientID, token string) (*ClientInformation, error) {
	app, err := e.registered(ctx, clientID, token)
	if err != nil {
		return nil, err
	}
	return e.information(app, token), nil
}

// Reregister replaces what an app says of itself (RFC 7592 §2.2): what is left
// out is taken away. What was allowed before is asked again. It keeps a row, until
// the app would expire.
func (e *Engine) Reregister(ctx context.Context, clientID, token string, body []byte, who Registrant) (*ClientInformation, error) {
	now := e.clock.Now()

	// 1. Who asks?
	app, err := e.registered(ctx, clientID, token)
	if err != nil {
		return nil, err
	}
	if err := e.registers(who.Address, now); err != nil {
		return nil, err
	}

	// 2. What is presented?
	m, object, err := e.readRegistration(ctx, body, now)
	if err != nil {
		return nil, err
	}
	// RFC 7592 §2.2: the client_id is there and the same; so is the secret, when
	// it is there; what only the server says is not.
	if object["client_id"] != clientID {
		return nil, refuse(InvalidClientMetadata, "The field client_id must be there and be that of the app.").from(app.ID)
	}
	if secret, there := object["client_secret"]; there {
		if plain, ok := secret.(string); !ok || !app.CheckSecret(plain) {
			return nil, refuse(InvalidClientMetadata, "The field client_secret is not that of the app; leave it out.").from(app.ID)
		}
	}
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if _, there := object[name]; there {
			return nil, refuse(InvalidClientMetadata, "The field "+name+" must not be there: only the server sets it.").from(app.ID)
		}
	}
	next := m.app(&e.cfg, app.ID, clientID, app.CreatedAt)
	if len(next.Scope) == 0 {
		return nil, noScope(&next)
	}
	next.NotBefore, next.Version, next.Secrets = app.NotBefore, app.Version, app.Secrets
	next.Rotation, next.RequirePKCE = app.Rotation, app.RequirePKCE
	next.Settings.Profile = app.Settings.Profile
	next.Settings.Resources, next.Settings.Token = app.Settings.Resources, app.Settings.Token
	next.Settings.OneConnection, next.Settings.Webhook = app.Settings.OneConnection, app.Settings.Webhook
	was, is := app.Settings.Registration, next.Settings.Registration
	is.Token, is.ExpiresAt, is.ChangedAt, is.Digest = was.Token, was.ExpiresAt, was.ChangedAt, digest(&next)
	if string(is.Digest) != string(was.Digest) {
		is.ChangedAt = milliseconds(now)
	}
	if text, err := json.Marshal(whatIsSaid(&next)); err != nil || len(text) > maxMetadata {
		return nil, tooLong().from(app.ID)
	}
	secret := newSecretFor(&next, now)
	if err := e.keeps(app, who.Address, now); err != nil {
		return nil, err
	}

	// 3. Keep it.
	if err := e.store.PutApp(context.WithoutCancel(ctx), next); err != nil {
		return nil, e.changedMeanwhile(app.ID, err)
	}
	e.forget(app.ID)
	// What was taken away counts nowhere any more, and what is new does.
	if err := e.settleApp(ctx); err != nil {
		return nil, storeError(err).from(app.ID)
	}
	info := e.information(&next, token)
	info.ClientSecret = secret
	return info, nil
}

// changedMeanwhile is the refusal when the row was changed by someone else.
func (e *Engine) changedMeanwhile(id symbolon.ClientID, err error) error {
	e.forget(id)
	if symbolon.KindOf(err) != symbolon.Conflict {
		return storeError(err).from(id)
	}
	r := refuse(Unavailable, "The app changed in this moment; send the same request again.").from(id)
	r.RetryAfter, r.Err = time.Second, err
	return r
}

// Unregister deletes an app (RFC 7592 §2.3): everything made for it is over.
func (e *Engine) Unregister(ctx context.Context, clientID, token string, who Registrant) (symbolon.ClientID, error) {
	app, err := e.registered(ctx, clientID, token)
	if err != nil {
		return "", err
	}
	now := e.clock.Now()
	spend := context.WithoutCancel(ctx)

	gone, young := Gone(app, e.cfg.UnusedLifetime, now)
	if young {
		if err := e.keeps(app, who.Address, now); err != nil {
			return app.ID, err
		}
		if err := e.store.PutApp(spend, gone); err != nil {
			return app.ID, e.changedMeanwhile(app.ID, err)
		}
		e.forget(app.ID)
	}
	// What a node whose clock is ahead has made for it just now is over as well: there
	// is nothing after it.
	if e.cfg.Shared {
		now = now.Add(SettleTime(e.cfg.FeedBound))
	}
	end := symbolon.End{Client: app.ID, Delete: !young, Reason: symbolon.ByApp, Now: now}
	if _, err := e.store.End(spend, end); err != nil {
		return app.ID, storeError(err).from(app.ID)
	}
	e.feed.Note(symbolon.Change{Kind: symbolon.AppEnded, Client: app.ID, Before: now, At: now})
	e.forget(app.ID)
	if err := e.settleApp(ctx); err != nil {
		return app.ID, storeError(err).from(app.ID)
	}
	return app.ID, nil
}

// UnusedLifetime is that of Config where it is not set.
const UnusedLifetime = 30 * 24 * time.Hour

// Gone returns the row that says of an app that registered itself that it is
// deleted, and whether one is needed: its client_id alone would bring it back while
// it is younger than lifetime. The version is that of app.
func Gone(app *symbolon.App, lifetime time.Duration, now time.Time) (row symbolon.App, needed bool) {
	expires := app.CreatedAt.Add(lifetime)
	if r := app.Settings.Registration; r == nil || r.Document || !now.Before(expires) {
		return row, false
	}
	return symbolon.App{
		ID: app.ID, Name: "(deleted)", Public: true, Rotation: app.Rotation, Sandbox: app.Sandbox,
		CreatedAt: app.CreatedAt, NotBefore: app.NotBefore, Version: app.Version,
		Settings: symbolon.Settings{Registration: &symbolon.Registration{ClientID: app.ClientID(), DeletedAt: milliseconds(now), ExpiresAt: expires}},
	}, true
}

// expireSlack is how long a row that is over stays, for requests that began
// before it was.
const expireSlack = time.Hour

// expireAtOnce is how many rows are looked at a time.
const expireAtOnce = 200

// Expire deletes the rows of apps that registered themselves and were not used in
// time, or have deleted themselves. It returns how many. Call it now and then.
func (e *Engine) Expire(ctx context.Context) (int, error) {
	now := e.clock.Now()
	n := 0
	for after := symbolon.ClientID(dynamicID); ; {
		rows, err := e.store.Apps(ctx, symbolon.AppQuery{After: after, Limit: expireAtOnce})
		if err != nil {
			return n, storeError(err)
		}
		for i := range rows {
			row := &rows[i]
			if !strings.HasPrefix(string(row.ID), dynamicID) {
				return n, nil
			}
			after = row.ID
			r := row.Settings.Registration
			if r == nil || r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt.Add(expireSlack)) {
				continue
			}
			if _, err := e.store.End(ctx, symbolon.End{Client: row.ID, Delete: true, Reason: symbolon.ByOperator, Now: now}); err != nil {
				return n, storeError(err)
			}
			e.forget(row.ID)
			n++
		}
		if len(rows) < expireAtOnce {
			return n, nil
		}
	}
}
