package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// requestURIPrefix begins every request_uri that this server gives (RFC 9126 §2.2).
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// maxPushed bounds a pushed request, written as a query, in bytes: it travels
// sealed in its own request_uri, which must fit into an address.
const maxPushed = 4000

// maxFlow is how long after the end of its request_uri a person may take who
// began in time.
const maxFlow = time.Hour

// PushRequest is a request to /oauth2/par (RFC 9126 §2.1): an authorization
// request, and what proves who pushes it.
type PushRequest struct {
	Credentials Credentials
	Proof       Proof
	Request     AuthorizeRequest

	faults map[string]string
}

// ReadPush reads the parameters of a pushed request. The credentials of an
// Authorization header are in c.
func ReadPush(p *Params, c Credentials) PushRequest {
	f := fields{params: p}
	f.credentials(&c)
	r := PushRequest{Credentials: c, Request: ReadAuthorize(p), faults: f.faults}
	r.Request.Standard = true
	return r
}

// Pushed is the answer to a pushed request (RFC 9126 §2.2).
type Pushed struct {
	RequestURI string
	// ExpiresIn is in seconds.
	ExpiresIn int64
	Client    symbolon.ClientID
}

// pushed is what is sealed in a request_uri.
type pushed struct {
	Client string `json:"c"`
	Query  string `json:"q"`
	// ID tells two requests apart that are the same otherwise, and is what is
	// remembered of one that was used.
	ID string `json:"i"`
	// Expires is in Unix milliseconds.
	Expires int64 `json:"e"`
	// Implied: the redirect URI went without saying. Signed: it was a request
	// object.
	Implied bool `json:"u,omitempty"`
	Signed  bool `json:"s,omitempty"`
}

// Push takes an authorization request before the person comes (RFC 9126). Nothing
// is stored: the request_uri is the request, sealed.
func (e *Engine) Push(ctx context.Context, req *PushRequest) (*Pushed, error) {
	// 1. Who asks?
	for _, name := range tokenQueryNames {
		if fault := req.faults[name]; fault != "" {
			return nil, faulty(name, fault)
		}
	}
	now := e.clock.Now()
	app, err := e.authenticate(ctx, &req.Credentials, now)
	if err != nil {
		return nil, err
	}
	c := &caller{app: app, now: now}

	// 2. What is presented?
	ask := &req.Request
	switch {
	case ask.ClientID == "":
		ask.ClientID = app.ClientID()
	case ask.ClientID != app.ClientID():
		return nil, c.no(InvalidRequest, "The client_id is not that of the app that proved itself.")
	}
	if ask.RequestURI != "" || ask.faults["request_uri"] != "" {
		return nil, c.no(InvalidRequest, "A pushed request must not have a request_uri itself.") // RFC 9126 §2.1
	}
	if ask.faults["request"] != "" {
		return nil, c.no(InvalidRequest, "The parameter request is malformed or stands twice.")
	}
	if ask.Object != "" {
		inner, err := e.openObject(ctx, app, ask.Object, false, now, now)
		if err != nil {
			return nil, storeError(err).from(app.ID)
		}
		inner.Standard, inner.Object = true, ""
		*ask = *inner
	}
	if len(req.Proof.DPoP) > 0 {
		// RFC 9449 §10.1: the code is bound to the key, as by dpop_jkt.
		proven, err := e.checkProof(ctx, app.ID, &req.Proof, "", now)
		if err != nil {
			return nil, storeError(err).from(app.ID)
		}
		key := base64.RawURLEncoding.EncodeToString(proven.Thumbprint[:])
		if ask.DPoPKey != "" && ask.DPoPKey != key {
			return nil, c.no(InvalidDPoPProof, "The dpop_jkt and the key of the DPoP proof are not the same.")
		}
		ask.DPoPKey = key
	}

	// 3. Is it allowed? All is checked that the person's request would be, and
	// told to the app here.
	p := &pushed{Client: app.ClientID(), Expires: now.Add(e.cfg.PushedLifetime).UnixMilli(), ID: rand.Text(), Signed: ask.signed}
	ask.pushed = p
	if err := e.provenRedirect(app, ask); err != nil {
		r := storeError(err)
		r.Mismatch = nil // that is for people
		return nil, r
	}
	if _, err := e.readAuthorization(ask, app, new(symbolon.Code), now); err != nil {
		return nil, storeError(err).from(app.ID)
	}
	if p.Query, p.Implied = ask.plainQuery(), ask.implied; len(p.Query) > maxPushed {
		return nil, c.no(InvalidRequest, "The request is longer than 4000 bytes; shorten state, login_hint or authorization_details.")
	}

	// 4. Answer.
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, storeError(symbolon.Wrap(symbolon.Internal, "push", err))
	}
	text, err := e.ring.Seal(seal.Pushed, plain, now)
	if err != nil {
		return nil, storeError(err)
	}
	return &Pushed{RequestURI: requestURIPrefix + text, ExpiresIn: int64(e.cfg.PushedLifetime / time.Second), Client: app.ID}, nil
}

// resolve replaces a request that stands elsewhere by what it says. Nothing that
// was sent beside it counts (RFC 9126 §4, RFC 9101 §6.3). Until then no one is
// redirected.
func (e *Engine) resolve(ctx context.Context, req *AuthorizeRequest, who *Actor, now time.Time) error {
	if req.RequestURI == "" && req.Object == "" {
		return nil
	}
	for _, name := range [...]string{"client_id", "request_uri", "request"} {
		if fault := req.faults[name]; fault != "" {
			return faulty(name, fault)
		}
	}
	switch {
	case req.RequestURI != "" && req.Object != "":
		return refuse(InvalidRequest, "The parameters request and request_uri exclude each other.") // RFC 9101 §5
	case req.ClientID == "":
		return refuse(InvalidRequest, "The parameter client_id is missing; it is needed beside request and request_uri, too.")
	case req.RequestURI != "" && !elsewhere(req.RequestURI):
		return e.resolvePushed(ctx, req, who, now)
	}
	app, err := e.client(ctx, req.ClientID, e.mayFetch(who))
	if err != nil {
		return err
	}
	var inner *AuthorizeRequest
	text := req.Object
	if req.RequestURI != "" {
		text, err = e.fetchObject(ctx, app, req.RequestURI, who, now)
		req.Fetched = true
	}
	if err == nil {
		inner, err = e.openObject(ctx, app, text, req.Fetched, begun(who, now), now)
	}
	if err != nil {
		r := storeError(err).from(app.ID)
		// What is sent beside it is good for telling the app, at an address of its own.
		if req.faults["redirect_uri"] == "" && req.RedirectURI != "" && matchRedirectURI(app, req.RedirectURI) {
			return e.redirectable(r, req, app, who)
		}
		return r
	}
	// From here on it is carried by value: what a person has been shown is what counts,
	// whatever stands at the address by then.
	inner.Standard, inner.Object, inner.Fetched = req.Standard, text, req.Fetched
	*req = *inner
	return nil
}

// begun is when the person came with the request: it must have been good then,
// and a page may be looked at for longer.
func begun(who *Actor, now time.Time) time.Time {
	if who.Begun.IsZero() {
		return now
	}
	return who.Begun
}

// elsewhere reports whether a request_uri is one that would have to be fetched.
func elsewhere(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

func (e *Engine) resolvePushed(ctx context.Context, req *AuthorizeRequest, who *Actor, now time.Time) error {
	no := func(why string) *Error { return refuse(InvalidRequestURI, why) }
	text, found := strings.CutPrefix(req.RequestURI, requestURIPrefix)
	if !found {
		return no("The request_uri is none that this server gave; push the request to /oauth2/par.")
	}
	plain, err := e.ring.Open(seal.Pushed, text, now)
	if err != nil {
		return no("The request_uri is not one that this server made; it may have been cut or changed on the way.").detail(err.Error())
	}
	p := new(pushed)
	if err := json.Unmarshal(plain, p); err != nil {
		return storeError(symbolon.Wrap(symbolon.Internal, "open pushed request", err))
	}
	ends := time.UnixMilli(p.Expires)
	switch {
	case p.Client != req.ClientID: // RFC 9126 §4
		return no("The request_uri was given to another app.")
	case !begun(who, now).Before(ends) || !now.Before(ends.Add(maxFlow)):
		return no("The request_uri has expired; the app must push its request anew.")
	}
	if who.Begun.IsZero() {
		// Whoever comes back with it is told before they sign in.
		_, unused, err := e.store.Once(ctx, symbolon.Once{Key: p.key(), Now: now, Look: true})
		if err != nil {
			return storeError(err)
		}
		if !unused {
			return usedPushed()
		}
	}
	params, err := ParseForm(p.Query)
	if err != nil {
		return storeError(symbolon.Wrap(symbolon.Internal, "read pushed request", err))
	}
	inner := ReadAuthorize(&params)
	inner.RequestURI, inner.Standard, inner.implied, inner.signed, inner.pushed = req.RequestURI, req.Standard, p.Implied, p.Signed, p
	*req = inner
	return nil
}

func usedPushed() *Error {
	return refuse(InvalidRequestURI, "The request_uri was used before; the app must push its request anew.")
}

func (p *pushed) key() [32]byte { return onceKey("request_uri", p.Client, p.ID) }

// spendPushed counts the use of a pushed request, when its authorization is
// complete and not before: a page may be loaded as often as one likes (RFC 9126
// §4).
func (e *Engine) spendPushed(ctx context.Context, req *AuthorizeRequest, now time.Time) error {
	p := req.pushed
	if p == nil {
		return nil
	}
	_, first, err := e.store.Once(context.WithoutCancel(ctx), symbolon.Once{
		Key: p.key(), ExpiresAt: time.UnixMilli(p.Expires).Add(maxFlow + time.Second), Now: now,
	})
	if err != nil {
		return storeError(err)
	}
	if !first {
		return usedPushed()
	}
	return nil
}
