package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// A request_uri may lead to where the app keeps a request object of its own (RFC 9101
// §5.2, OpenID Connect Core §6.2). It is fetched from addresses that were registered
// for the app and from no other, so that nobody else makes this server fetch anything
// (RFC 9101 §10.4.1).

const (
	// objectKept is how long an object is good that was fetched: whoever loads a page
	// again does not make this server fetch again.
	objectKept = 10 * time.Second
	// maxObjects bounds those that are kept on a node, and maxObjectText each of them,
	// in bytes.
	maxObjects, maxObjectText = 200, 16 << 10
)

// CheckRequestURI reports what address cannot be registered as a request_uri, as an
// error of kind Invalid. It is https, and may have a fragment (OpenID Connect Core
// §6.2).
func CheckRequestURI(uri string) error {
	address, _, _ := strings.Cut(uri, "#")
	if !isAppURI(address) || len(uri) > maxAppURI || !printable(uri) {
		return symbolon.Errorf(symbolon.Invalid, "check request URI", "it must be an https URL of at most 500 bytes")
	}
	return nil
}

// objects are the request objects that were fetched a moment ago.
type objects struct {
	mu    sync.Mutex
	known map[string]fetchedObject // by app and address
}

type fetchedObject struct {
	text  string
	until time.Time
}

func (o *objects) find(key string, now time.Time) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.known[key]
	return found.text, ok && now.Before(found.until)
}

func (o *objects) keep(key, text string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || len(o.known) >= maxObjects {
		o.known = make(map[string]fetchedObject) // they are good for a moment only
	}
	o.known[key] = fetchedObject{text, now.Add(objectKept)}
}

// fetchObject returns the request object at an address of the app's own.
func (e *Engine) fetchObject(ctx context.Context, app *symbolon.App, uri string, who *Actor, now time.Time) (string, error) {
	if e.cfg.FetchObject == nil {
		return "", refuse(RequestURINotSupported, "The request_uri leads elsewhere, and no request is fetched from there; push it to /oauth2/par, or send the JWT itself in the parameter request.")
	}
	if !slices.Contains(app.Settings.RequestURIs, uri) {
		return "", refuse(InvalidRequestURI, "The request_uri is not one that is registered for this app; it must be the same character by character.")
	}
	if e.unproven(app) && !e.mayFetch(who) {
		return "", cannotAsk(NeedSignIn)
	}
	key := string(app.ID) + " " + uri
	text, found := e.objects.find(key, now)
	if !found {
		address, _, _ := strings.Cut(uri, "#")
		body, err := e.cfg.FetchObject(context.WithoutCancel(ctx), address)
		switch {
		case symbolon.KindOf(err) == symbolon.Busy:
			return "", storeError(err)
		case err != nil:
			return "", refuse(InvalidRequestURI, "The request object cannot be fetched from the request_uri; see that it answers with the JWT, as application/oauth-authz-req+jwt or application/jwt.").detail(err.Error())
		case len(body) > maxObjectText:
			return "", refuse(InvalidRequestURI, "The request object at the request_uri is longer than 16 KiB.")
		}
		text = strings.TrimSpace(string(body))
		e.objects.keep(key, text, now)
	}
	// OpenID Connect Core §6.2: a fragment may be the hash of what stands there.
	if _, fragment, _ := strings.Cut(uri, "#"); fragment != "" {
		hash := sha256.Sum256([]byte(text))
		if raw, err := challengeText.DecodeString(fragment); err == nil && len(raw) == len(hash) && fragment != base64.RawURLEncoding.EncodeToString(hash[:]) {
			return "", refuse(InvalidRequestURI, "What stands at the request_uri is not what the hash in its fragment says.")
		}
	}
	return text, nil
}

// unproven reports whether an app registered itself and no one has allowed it yet.
func (e *Engine) unproven(app *symbolon.App) bool {
	return app.Settings.Registration != nil && (app.Version == 0 || !used(app))
}

// unfetched returns the app of a request whose object is not fetched yet, since the
// app registered itself and no one is signed in; nil where it may be fetched or need
// not be.
func (e *Engine) unfetched(ctx context.Context, req *AuthorizeRequest, who *Actor) (*symbolon.App, error) {
	if !elsewhere(req.RequestURI) || !who.Interactive || req.silent() || e.mayFetch(who) || req.faults["client_id"] != "" || req.faults["request_uri"] != "" || req.Object != "" {
		return nil, nil
	}
	app, err := e.client(ctx, req.ClientID, false)
	if err != nil || !e.unproven(app) || !slices.Contains(app.Settings.RequestURIs, req.RequestURI) {
		return nil, nil // it is said where the request is resolved
	}
	switch {
	case len(req.Query()) > maxQuery:
		return nil, tooLongToCarry().from(app.ID)
	case who.Denied:
		return nil, refuse(AccessDenied, "The person did not sign in.").from(app.ID)
	}
	return app, nil
}
