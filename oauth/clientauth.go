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
	// Address is the caller's, for slowing down those who guess.
	Address string

	fault string // what is wrong with the header, or ""
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

// authenticate is the first phase of steps 3 and 5: who asks?
func (e *Engine) authenticate(ctx context.Context, c *Credentials, now time.Time) (*symbolon.App, error) {
	id, secret := c.BodyID, c.BodySecret
	if c.fault != "" {
		return nil, refuse(InvalidRequest, c.fault)
	}
	if c.Basic {
		// RFC 6749 §2.3 forbids two methods at once; Node-RED sends both with
		// the same values. docs/divergences.md.
		if id != "" && id != c.BasicID || secret != "" && secret != c.BasicSecret {
			return nil, refuse(InvalidRequest, "The credentials in the Authorization header and those in the body differ; send them in one place.")
		}
		id, secret = c.BasicID, c.BasicSecret
	}
	if id == "" {
		return nil, refuse(InvalidRequest, "client_id is missing; send it in the body, or in an Authorization header of the scheme Basic.")
	}
	app, err := e.App(ctx, symbolon.ClientID(id))
	if err != nil {
		return nil, err
	}
	switch {
	case app.Public && secret != "":
		return nil, refuse(InvalidClient, "This app is public and has no secret, but a client_secret was sent.").from(app.ID)
	case app.Public:
		return app, nil
	case secret == "":
		// RFC 6749 §3.2.1: knowing the client_id proves nothing.
		return nil, refuse(InvalidClient, "client_secret is missing; this app must prove itself.").from(app.ID)
	case app.CheckSecret(secret):
		return app, nil
	}
	if wait := e.wrong.add(guess{app.ID, c.Address}, now); wait > 0 {
		r := refuse(TooManyGuesses, "Too many wrong client_secrets came from this address; the right one still works.").from(app.ID)
		r.RetryAfter = wait
		return nil, r
	}
	return nil, refuse(InvalidClient, "The client_secret is wrong for this client_id; if it is lost, make a new one.").from(app.ID)
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
