package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Options say whose tokens are taken, and for what. Issuer is required, and one
// of Resource, Audience and ClientID; every other zero value works.
type Options struct {
	// Issuer is the authorization server, byte for byte as it stands in its
	// metadata and tokens.
	Issuer string
	// Resource is the URL of this API as apps name it (RFC 8707, RFC 9728 §1.2).
	// A token must be for it, and Metadata describes it.
	Resource string
	// Audience are other values of aud that count as this API.
	Audience []string
	// TakeUnnamed also takes a token that names no API: one without aud, or whose
	// only one is the Issuer. It is right where the server has this one API, since
	// most integration platforms name none. Without Resource and Audience it goes
	// without saying: the server then decides what it shows to ClientID.
	TakeUnnamed bool
	// Base is the public URL of the root of the server that Handler is part of,
	// which DPoP proofs name: the scheme and host of Resource when empty. The
	// Host header is not believed.
	Base string

	// ClientID and ClientSecret are this API's own at the server, for
	// introspection. Without them, only JWTs are taken.
	ClientID     string
	ClientSecret string
	// AlwaysAsk asks the server about JWTs as well, so that a connection that was
	// ended is over here within 5 s.
	AlwaysAsk bool
	// IntrospectionEndpoint and JWKSURI are used instead of what the server's
	// metadata says, for instance to reach it within one's own network.
	IntrospectionEndpoint string
	JWKSURI               string
	// CacheFor is how long the server's word that a token is good is believed: 5 s
	// when 0, not at all when negative.
	CacheFor time.Duration

	// Name, Documentation and Scopes are for Metadata: the API's name, a URL for
	// developers, and all scopes that it knows.
	Name          string
	Documentation string
	Scopes        []string

	// Client sends the requests to the server: one with a limit of 5 s when nil.
	// Redirects are never followed.
	Client *http.Client
	// Log hears, at most once in 10 s, that and why the server could not be
	// asked: slog.Default() when nil, since an API that answers 503 and does not
	// say why leaves its owner in the dark.
	Log *slog.Logger
	// Now is the clock: time.Now when nil.
	Now func() time.Time
}

// Leeway is how far the server's and the apps' clocks may differ from ours.
const Leeway = 60 * time.Second

// timeout bounds a request to the server, with waiting for its turn.
const timeout = 5 * time.Second

// algorithms are those whose signatures count (RFC 9068 §4, RFC 9449 §4.3):
// asymmetric ones only, so that no public key can pass for a shared secret.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}

// algorithmNames are algorithms as they stand in headers and metadata.
var algorithmNames = []string{"ES256", "RS256", "PS256", "EdDSA"}

// Verifier checks tokens. It may be used by many goroutines at once. It holds no
// goroutine of its own, so it need not be closed.
type Verifier struct {
	o        Options
	offline  bool // JWTs can be checked here
	client   *http.Client
	metaURL  string // of this API's metadata, or ""
	metaPath string
	metadata []byte

	server kept[endpoints]
	keys   kept[keySet]
	known  *cache[*Token] // good tokens, by the SHA-256 of their text
	bad    *cache[struct{}]
	asks   flights[[32]byte, *Token]
	asking atomic.Int64
	turns  chan struct{}
	proofs proofs
	logged atomic.Int64
}

// New returns a Verifier. It reaches no network. The error says which option
// cannot be, and holds no secret.
func New(o Options) (*Verifier, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("bearer: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheFor == 0 {
		o.CacheFor = 5 * time.Second
	}
	v := &Verifier{
		o:       o,
		offline: o.Resource != "" || len(o.Audience) > 0,
		client:  &http.Client{Timeout: timeout},
		known:   newCache[*Token](maxKnown),
		bad:     newCache[struct{}](maxBad),
		turns:   make(chan struct{}, maxTurns),
	}
	if o.Client != nil {
		c := *o.Client
		v.client = &c
	}
	// A redirect could carry the token and our secret to somebody else.
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.server.fetch = v.fetchMetadata
	v.keys.fetch = v.fetchKeys
	v.server.now, v.keys.now = o.Now, o.Now
	if o.Resource != "" {
		if o.Base == "" {
			u, _ := url.Parse(o.Resource) // checked above
			v.o.Base = u.Scheme + "://" + u.Host
		}
		v.describe()
	}
	v.o.Base = strings.TrimSuffix(v.o.Base, "/")
	return v, nil
}

func (o *Options) check() error {
	if err := checkURL("Issuer", o.Issuer); err != nil {
		return err
	}
	if strings.Contains(o.Issuer, "?") { // RFC 8414 §2
		return errors.New("Issuer has a query")
	}
	for _, u := range []struct{ name, value string }{
		{"Resource", o.Resource}, {"Base", o.Base}, {"IntrospectionEndpoint", o.IntrospectionEndpoint},
		{"JWKSURI", o.JWKSURI}, {"Documentation", o.Documentation},
	} {
		if u.value == "" {
			continue
		}
		if err := checkURL(u.name, u.value); err != nil {
			return err
		}
	}
	switch {
	case slices.Contains(o.Audience, ""):
		return errors.New("Audience has an empty value")
	case (o.ClientID == "") != (o.ClientSecret == ""):
		return errors.New("ClientID and ClientSecret are needed together")
	case o.ClientID == "" && o.AlwaysAsk:
		return errors.New("AlwaysAsk needs ClientID and ClientSecret")
	case o.ClientID == "" && o.Resource == "" && len(o.Audience) == 0:
		return errors.New("no token could be checked; set Resource (for JWTs), or ClientID and ClientSecret (for introspection)")
	}
	for _, s := range o.Scopes {
		if !validScope(s) {
			return errors.New("Scopes has a name with characters that no scope may have (RFC 6749 §3.3)")
		}
	}
	return nil
}

// checkURL takes absolute http and https URLs without a fragment, in characters
// that may stand in a quoted header value.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Contains(text, "#") {
		return errors.New(name + " is not an absolute http or https URL without user and fragment")
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return errors.New(name + " has characters that must be percent-encoded")
		}
	}
	return nil
}

// validScope reports whether s is a scope token (RFC 6749 §3.3).
func validScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// away says that the server could not be asked: to the log with its reason, and
// to the caller without.
func (v *Verifier) away(ctx context.Context, retry time.Duration, cause error) *Error {
	if ctx.Err() == nil {
		now, last := v.o.Now().Unix(), v.logged.Load()
		if (now-last >= 10 || now < last) && v.logged.CompareAndSwap(last, now) {
			v.o.Log.LogAttrs(ctx, slog.LevelError, "the authorization server cannot be asked; callers are answered 503", slog.String("error", cause.Error()))
		}
	}
	return &Error{
		Status:      http.StatusServiceUnavailable,
		Code:        "temporarily_unavailable",
		Description: "The access token cannot be checked right now; send the same request again shortly.",
		RetryAfter:  min(max(retry, time.Second), time.Minute),
		Err:         cause,
	}
}
