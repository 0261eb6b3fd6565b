package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// endpoints are what this package needs of the server's metadata (RFC 8414 §2).
type endpoints struct {
	introspection string
	jwks          string
}

const (
	metadataFresh = time.Hour
	maxBody       = 64 << 10
)

// wellKnown returns where the metadata of an issuer or a resource is: the name
// goes between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
func wellKnown(at, name string) string {
	u, _ := url.Parse(at) // New has checked it
	p := u.EscapedPath()
	if p == "/" {
		p = ""
	}
	s := u.Scheme + "://" + u.Host + "/.well-known/" + name + p
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	return s
}

// fetchMetadata reads the server's metadata: OAuth's, or else OpenID Connect's.
func (v *Verifier) fetchMetadata(ctx context.Context) (endpoints, error) {
	issuer := v.o.Issuer
	body, err := v.fetch(ctx, wellKnown(issuer, "oauth-authorization-server"), maxBody)
	var status statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		body, err = v.fetch(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", maxBody)
	}
	if err != nil {
		return endpoints{}, fmt.Errorf("metadata: %w", err)
	}
	return parseMetadata(body, issuer)
}

func parseMetadata(body []byte, issuer string) (endpoints, error) {
	var doc struct {
		Issuer        string `json:"issuer"`
		Introspection string `json:"introspection_endpoint"`
		JWKS          string `json:"jwks_uri"`
	}
	if decode(body, &doc) != nil {
		return endpoints{}, errors.New("metadata: it is no JSON object of the right types")
	}
	if doc.Issuer != issuer { // RFC 8414 §3.3
		return endpoints{}, errors.New("metadata: it is another issuer's; Issuer must be spelt exactly as the server spells it")
	}
	for _, u := range []string{doc.Introspection, doc.JWKS} {
		if u == "" {
			continue
		}
		// RFC 8414 §2: who reads the issuer by https must not be led to less.
		if checkURL("", u) != nil || strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(u, "https:") {
			return endpoints{}, errors.New("metadata: an endpoint is no https URL")
		}
	}
	return endpoints{doc.Introspection, doc.JWKS}, nil
}

// statusError is an answer of the server that is not 200.
type statusError struct {
	code  int
	retry time.Duration
}

func (e statusError) Error() string { return "the server answered " + strconv.Itoa(e.code) }

func (v *Verifier) fetch(ctx context.Context, uri string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	return v.do(req, limit)
}

func (v *Verifier) do(req *http.Request, limit int64) ([]byte, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// What is left of a short body is read, so that the connection lives.
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
		e := statusError{code: resp.StatusCode}
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 && n < 1<<20 {
			e.retry = time.Duration(n) * time.Second
		}
		return nil, e
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > limit:
		return nil, errors.New("the answer is too long")
	}
	return body, nil
}

const (
	// maxKnown and maxBad bound what is remembered of good tokens and of others.
	// They are apart, so that no flood of inventions drives out good ones.
	maxKnown = 4096
	maxBad   = 8192
	badFor   = time.Second
	// maxKept bounds an answer that is remembered, in bytes.
	maxKept = 8 << 10
	// maxTurns requests are with the server at once, and maxAsking wait or are.
	maxTurns  = 64
	maxAsking = 1024
)

var errBusy = errors.New("too many tokens are being asked about")

// introspect asks the server about a token, or remembers what it said.
func (v *Verifier) introspect(ctx context.Context, text string) (*Token, error) {
	key := sha256.Sum256([]byte(text))
	now := v.o.Now()
	if t, ok := v.known.find(key, now); ok {
		return t.clone(), nil
	}
	dead := invalid("The access token is unknown, expired, ended or for another API; refresh it, or connect the account anew.")
	if _, ok := v.bad.find(key, now); ok {
		return nil, dead
	}
	t, err := v.asks.do(ctx, key, func(ctx context.Context) (*Token, error) {
		// Another may have had its answer since we looked.
		if t, ok := v.known.find(key, now); ok {
			return t, nil
		}
		return v.ask(ctx, key, text)
	})
	if err != nil {
		var refused *Error
		if errors.As(err, &refused) {
			return nil, refused
		}
		var status statusError
		errors.As(err, &status)
		return nil, v.away(ctx, status.retry, fmt.Errorf("introspection: %w", err))
	}
	if t == nil {
		return nil, dead
	}
	return t.clone(), nil
}

// ask sends the request (RFC 7662 §2.1). The token is nil when it is not good.
func (v *Verifier) ask(ctx context.Context, key [32]byte, text string) (*Token, error) {
	defer v.asking.Add(-1)
	if v.asking.Add(1) > maxAsking {
		return nil, errBusy
	}
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return nil, errBusy
	}
	uri := v.o.IntrospectionEndpoint
	if uri == "" {
		at, have, err := v.server.get(ctx, metadataFresh)
		if !have {
			return nil, err
		}
		if uri = at.introspection; uri == "" {
			return nil, errors.New("the server's metadata has no introspection_endpoint; set IntrospectionEndpoint")
		}
	}
	form := url.Values{"token": {text}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749 §2.3.1: encoded before they are joined.
	req.SetBasicAuth(url.QueryEscape(v.o.ClientID), url.QueryEscape(v.o.ClientSecret))
	asked := v.o.Now()
	body, err := v.do(req, maxBody)
	if err != nil {
		return nil, err
	}
	var c claims
	if decode(body, &c) != nil {
		return nil, errors.New("the answer is no JSON object of the right types")
	}
	t := v.believe(&c)
	if t == nil {
		v.bad.keep(key, struct{}{}, asked.Add(badFor))
		return nil, nil
	}
	if v.o.CacheFor > 0 && len(body) <= maxKept {
		// From when the question was sent: what ended after it is not known.
		until := asked.Add(v.o.CacheFor)
		if !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(until) {
			until = t.ExpiresAt
		}
		v.known.keep(key, t, until)
	}
	return t, nil
}

// believe returns the token of an answer, or nil when it is not good here. The
// clock is the server's: it has judged exp and nbf, which are looked at only so
// that no mistake of it lasts.
func (v *Verifier) believe(c *claims) *Token {
	now := v.o.Now()
	switch {
	case !c.Active || c.expired(now) || c.early(now):
		return nil
	case c.Issuer != "" && c.Issuer != v.o.Issuer:
		return nil
	case v.offline && !v.o.meant(c.Audience):
		return nil
	case strings.EqualFold(c.TokenType, "DPoP") && (c.Confirm == nil || c.Confirm.Key == ""):
		return nil // bound, and to what it does not say
	case c.ClientID == "" && c.Subject == "":
		return nil
	}
	t, err := c.token()
	if err != nil {
		return nil
	}
	return t
}
