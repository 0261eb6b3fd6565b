package oauth

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// Credentials are what an app sent to prove itself (RFC 6749 §2.3), by HTTP
// Basic, in the body, or both.
type Credentials struct {
	// Basic is set when HTTP Basic was used.
	Basic       bool
	BasicID     string
	BasicSecret string
	// BodyID and BodySecret are client_id and client_secret of the body.
	BodyID     string
	BodySecret string
	// Assertion and AssertionType are client_assertion and client_assertion_type
	// (RFC 7521 §4.2).
	Assertion, AssertionType string
	// Certificate is that of the TLS connection, or nil.
	Certificate *Certificate
	// Address is the caller's, for slowing down those who guess.
	Address string

	fault string // what is wrong with the header, or ""
}

// sentNothing reports whether nothing at all was sent.
func (c *Credentials) sentNothing() bool {
	return c.fault == "" && !c.Basic && c.BodyID == "" && c.BodySecret == "" && c.Assertion == "" && c.AssertionType == ""
}

// credentials reads those of a body.
func (f *fields) credentials(c *Credentials) {
	c.BodyID, c.BodySecret = f.read("client_id"), f.read("client_secret")
	c.Assertion, c.AssertionType = f.read("client_assertion"), f.read("client_assertion_type")
}

// ParseBasic reads an Authorization header of the scheme Basic into the
// credentials. Id and secret are form-decoded after the split at the first
// colon (RFC 6749 §2.3.1); ids and secrets of this server read the same raw.
func (c *Credentials) ParseBasic(header string) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		if header != "" {
			c.fault = "The Authorization header of this endpoint must be of the scheme Basic."
		}
		return
	}
	c.Basic = true
	c.fault = "The Authorization header must be Basic with base64 of client_id:client_secret."
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return
	}
	id, ok1 := unescape(id)
	secret, ok2 := unescape(secret)
	if !ok1 || !ok2 || !clean(id) || !clean(secret) || id == "" {
		return
	}
	c.BasicID, c.BasicSecret, c.fault = id, secret, ""
}

// authenticate is the first phase of the token endpoint and its neighbours: who
// asks?
func (e *Engine) authenticate(ctx context.Context, c *Credentials, now time.Time) (*symbolon.App, error) {
	id, secret := c.BodyID, c.BodySecret
	if c.fault != "" {
		return nil, refuse(InvalidRequest, c.fault).because("the Authorization header can be read", "RFC 6749 §2.3.1").mend("Send Authorization: Basic and base64 of client_id:client_secret; or leave the header out and send both in the body.")
	}
	if c.Basic {
		// RFC 6749 §2.3 forbids two methods at once; Node-RED sends both with
		// the same values. docs/divergences.md.
		if id != "" && id != c.BasicID || secret != "" && secret != c.BasicSecret {
			return nil, refuse(InvalidRequest, "The credentials in the Authorization header and those in the body differ; send them in one place.").because("the app proves itself in one way", "RFC 6749 §2.3").compare("credentials", "two that differ, in the Authorization header and in the body", "one").mend("Choose in the platform how the client authenticates: by the header, or by the body, and not both.")
		}
		id, secret = c.BasicID, c.BasicSecret
	}
	var a *assertion
	if c.Assertion != "" || c.AssertionType != "" {
		// RFC 6749 §2.3: one method a request.
		if c.Basic || secret != "" {
			return nil, refuse(InvalidRequest, "A secret and a client_assertion were sent; an app proves itself in one way.").because("the app proves itself in one way", "RFC 6749 §2.3").mend("Leave the client_secret out.")
		}
		var err error
		if a, err = readAssertion(c); err != nil {
			return nil, err
		}
		// RFC 7521 §4.2: client_id is needless then, and must agree.
		if id == "" {
			id = a.unproven.Subject
		}
		if id == "" {
			return nil, refuse(InvalidClient, "The client_assertion has no sub; both iss and sub must be the client_id.")
		}
	}
	if id == "" {
		return nil, refuse(InvalidRequest, "client_id is missing; send it in the body, or in an Authorization header of the scheme Basic.").absent("client_id", "RFC 6749 §2.3.1")
	}
	app, err := e.client(ctx, id, false)
	if err != nil {
		return nil, err
	}
	if err := e.prove(ctx, app, c, secret, a, now); err != nil {
		return nil, storeError(err).from(app.ID)
	}
	return app, nil
}

// prove checks what an app sent by the method that it is registered for, and no
// other: whoever could choose the method would choose the weakest.
func (e *Engine) prove(ctx context.Context, app *symbolon.App, c *Credentials, secret string, a *assertion, now time.Time) error {
	method := app.Method()
	switch {
	case isFAPI(app) && !provesByKey(app): // FAPI 2.0 §5.3.2.1, 3 and 6
		return refuse(InvalidClient, "This app has the profile fapi2, so it must prove itself by private_key_jwt or a TLS certificate; its owner can register that.")
	case a != nil && method != symbolon.AuthKey:
		return refuse(InvalidClient, "This app is not registered to prove itself by a client_assertion.").whyMethod(app, "private_key_jwt")
	case secret != "" && method == symbolon.AuthNone:
		return refuse(InvalidClient, "This app is public and has no secret, but a client_secret was sent.").whyMethod(app, sentMethod(c))
	}
	switch method {
	case symbolon.AuthNone:
		return nil
	case symbolon.AuthKey:
		if a == nil {
			return refuse(InvalidClient, "This app proves itself by a client_assertion, signed with its key (private_key_jwt), and sent none.").whyMethod(app, sentMethod(c))
		}
		return e.checkAssertion(ctx, app, a, now)
	case symbolon.AuthTLS, symbolon.AuthSelfSignedTLS:
		if secret != "" {
			return refuse(InvalidClient, "This app proves itself by its TLS certificate, but a client_secret was sent.").whyMethod(app, sentMethod(c))
		}
		return e.checkCertificate(ctx, app, c.Certificate, now)
	}
	return e.checkSecret(app, c, secret, now)
}

// checkSecret checks a secret, and that it came where the app is registered to
// send it (RFC 7591 §2).
func (e *Engine) checkSecret(app *symbolon.App, c *Credentials, secret string, now time.Time) error {
	switch method := app.Method(); {
	case secret == "":
		// RFC 6749 §3.2.1: knowing the client_id proves nothing.
		return refuse(InvalidClient, "client_secret is missing; this app must prove itself.").whyMethod(app, sentMethod(c))
	case method == symbolon.AuthBasic && !c.Basic:
		return refuse(InvalidClient, "This app is registered to send its secret in an Authorization header of the scheme Basic (client_secret_basic).").whyMethod(app, sentMethod(c))
	case method == symbolon.AuthPost && c.BodySecret == "":
		return refuse(InvalidClient, "This app is registered to send its secret as client_secret in the body (client_secret_post).").whyMethod(app, sentMethod(c))
	}
	if i := app.FindSecret(secret); i >= 0 {
		e.uses.note(app, &app.Secrets[i], now)
		return nil
	}
	if wait := e.wrong.add(guess{app.ID, c.Address}, now); wait > 0 {
		r := refuse(TooManyGuesses, "Too many wrong client_secrets came from this address; the right one still works.")
		r.RetryAfter = wait
		return r.whySecret(app, c, secret)
	}
	return refuse(InvalidClient, "The client_secret is wrong for this client_id; if it is lost, make a new one.").whySecret(app, c, secret)
}

// guesses counts what someone may do a number of times: wrong secrets by app and
// address, so that one who guesses is answered shortly. A right secret always
// works: 256 random bits need no protection from guessing, so no one can shut an
// app out (RFC 6749 §2.3.1).
type guesses struct {
	limit int
	per   time.Duration

	mu    sync.Mutex
	count map[guess]int
	until time.Time
}

// guess is who does it.
type guess struct {
	client  symbolon.ClientID
	address string
}

const (
	guessesPer   = time.Minute
	guessesLimit = 60
	guessesKept  = 10_000
)

func newGuesses(limit int, per time.Duration) *guesses {
	return &guesses{limit: limit, per: per, count: make(map[guess]int)}
}

// add counts one and returns how long to wait when there were too many, or 0.
func (g *guesses) add(who guess, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Before(g.until) || len(g.count) >= guessesKept {
		clear(g.count)
		g.until = now.Add(g.per)
	}
	g.count[who]++
	if g.count[who] <= g.limit {
		return 0
	}
	return g.until.Sub(now)
}

// over returns how long to wait when as many were counted as there may be, or 0.
func (g *guesses) over(who guess, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Before(g.until) || g.count[who] < g.limit {
		return 0
	}
	return g.until.Sub(now)
}
