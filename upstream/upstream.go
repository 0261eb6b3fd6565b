// Package upstream signs people in by another OpenID Connect server: it sends them
// there, and learns from the answer who they are there (OpenID Connect Core §3.1). Who
// they are here is for package web.
package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/symbolon/symbolon"
)

// Config is what an owner says of another server.
type Config struct {
	// Name tells it apart from others, in forms and in the settings.
	Name string
	// Title is what people call it: "Continue with Title".
	Title string
	// Issuer is its iss, byte for byte. What it is made of is found below it (OpenID
	// Connect Discovery §4).
	Issuer string
	// ClientID and ClientSecret are what it knows this server by. There is no secret
	// where it does not want one.
	ClientID, ClientSecret string
	// Scopes are asked for beside openid.
	Scopes []string
	// Creates makes an account for whoever has none here.
	Creates bool
	// EmailDomains, where there are any, are those of which the person must have a
	// verified address there, each time.
	EmailDomains []string
	// Redirect is the URL that it sends people back to.
	Redirect string
}

// Server is another server that people sign in by. It may be used by many goroutines
// at once.
type Server struct {
	Config
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex // guards what is below
	found   *found
	triedAt time.Time
}

// found is what the server says of itself.
type found struct {
	issuer *oidc.Provider
	config oauth2.Config
	// says is set when its answers always say whose they are (RFC 9207 §3).
	says bool
	at   time.Time
}

const (
	// timeout bounds each request to the server.
	timeout = 10 * time.Second
	// maxAnswer bounds what it answers, in bytes.
	maxAnswer = 1 << 20
	// keep is for how long what it says of itself is not asked again, and retry how
	// long after a failure it is.
	keep, retry = time.Hour, 5 * time.Second
)

// New returns a Server that has asked nothing yet. The owner names it, so it is
// reached wherever it is, other than what strangers name.
func New(c Config, now func() time.Time) *Server {
	base := http.DefaultTransport.(*http.Transport).Clone()
	return &Server{Config: c, now: now, client: &http.Client{
		Timeout:   timeout,
		Transport: &bounded{base},
		// Nothing of what is asked moves, and what is sent there is for nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bounded reads no more of an answer than an honest one has.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &body{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

type body struct {
	io.Reader
	io.Closer
}

const op = "sign in upstream"

// find asks the server what it is made of, or remembers it.
func (s *Server) find(ctx context.Context) (*found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.found != nil && (now.Sub(s.found.at) < keep || now.Sub(s.triedAt) < retry) {
		return s.found, nil
	}
	if s.found == nil && !s.triedAt.IsZero() && now.Sub(s.triedAt) < retry {
		return nil, symbolon.Errorf(symbolon.Busy, op, "%s could not be reached a moment ago", s.Name)
	}
	issuer, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), s.Issuer)
	s.triedAt = s.now() // after it, so that those who waited do not ask again one by one
	if err != nil {
		if s.found != nil {
			return s.found, nil
		}
		return nil, symbolon.Errorf(symbolon.Busy, op, "%s: %s", s.Name, short(err))
	}
	var more struct {
		Says    bool     `json:"authorization_response_iss_parameter_supported"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := issuer.Claims(&more); err != nil {
		return nil, symbolon.Errorf(symbolon.Busy, op, "%s: %s", s.Name, short(err))
	}
	f := &found{issuer: issuer, says: more.Says, at: now, config: oauth2.Config{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: issuer.Endpoint(), RedirectURL: s.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, s.Scopes...),
	}}
	// Not tried out: a code is worth one attempt. RFC 8414 §2: Basic where it says nothing.
	f.config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if s.ClientSecret == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		f.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, at := range []string{f.config.Endpoint.AuthURL, f.config.Endpoint.TokenURL} {
		if u, err := url.Parse(at); err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(s.Issuer, "http://") {
			return nil, symbolon.Errorf(symbolon.Busy, op, "%s names an endpoint that is no https URL", s.Name)
		}
	}
	s.found = f
	return f, nil
}

// short is the beginning of an error, which may hold a whole page of another.
func short(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[:min(len(text), 200)]
}

// Ask is what a person is sent there with.
type Ask struct {
	// State, Nonce and Verifier are ours: what comes back, what is signed, and what
	// proves that we asked (RFC 7636).
	State, Nonce, Verifier string
	// Fresh asks for a new sign-in there, Choose for another account (prompt).
	Fresh, Choose bool
	// MaxAge is how long ago the sign-in there may be, or negative.
	MaxAge time.Duration
	// LoginHint is whom we expect, or empty.
	LoginHint string
}

// Send returns the URL to send a person to. The error is of kind Busy.
func (s *Server) Send(ctx context.Context, a *Ask) (string, error) {
	f, err := s.find(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	add := func(name, value string) { options = append(options, oauth2.SetAuthURLParam(name, value)) }
	switch {
	case a.Fresh:
		add("prompt", "login")
	case a.Choose:
		add("prompt", "select_account")
	}
	if a.MaxAge >= 0 {
		add("max_age", strconv.Itoa(int(a.MaxAge/time.Second)))
	}
	if a.LoginHint != "" {
		add("login_hint", a.LoginHint)
	}
	return f.config.AuthCodeURL(a.State, options...), nil
}

// Answer is what a person comes back with (RFC 6749 §4.1.2, RFC 9207 §2).
type Answer struct {
	Code, Issuer string
	// Error is the code of a refusal, or empty.
	Error string
}

// Person is who someone is there.
type Person struct {
	Subject string
	// SignedIn is when they signed in there, or zero when it does not say.
	SignedIn time.Time
	Username string
	Name     string
	Given    string
	Family   string
	Picture  string
	Locale   string
	Email    string
	// EmailVerified says that the server knows the address to be the person's.
	EmailVerified bool
}

// ErrRefused: the server, or the person there, did not want to.
var ErrRefused = errors.New("it was refused there")

// Whose reports, as an error of kind Denied, that an answer is not this server's. It is
// asked before anything of the answer is sent anywhere (RFC 9207 §2.4).
func (s *Server) Whose(ctx context.Context, a *Answer) error {
	f, err := s.find(ctx)
	if err != nil {
		return err
	}
	if a.Issuer != s.Issuer && (a.Issuer != "" || f.says) {
		return symbolon.Errorf(symbolon.Denied, op, "the answer says that it is another's than that of %s", s.Name)
	}
	return nil
}

// Read trades the code of an answer for who the person is. The error is of kind Busy
// when the server cannot be reached, and Denied when what it says is not to be believed;
// ErrRefused is in the chain of one that it wanted.
func (s *Server) Read(ctx context.Context, a *Answer, ask *Ask) (*Person, error) {
	if err := s.Whose(ctx, a); err != nil {
		return nil, err
	}
	f, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	denied := func(format string, args ...any) error { return symbolon.Errorf(symbolon.Denied, op, format, args...) }
	if a.Error != "" {
		return nil, &symbolon.Error{Kind: symbolon.Denied, Op: op, Err: ErrRefused}
	}
	if a.Code == "" {
		return nil, denied("there is no code in the answer")
	}
	ctx = oidc.ClientContext(ctx, s.client)
	tokens, err := f.config.Exchange(ctx, a.Code, oauth2.VerifierOption(ask.Verifier))
	if err != nil {
		if wrong, ok := errors.AsType[*oauth2.RetrieveError](err); ok && wrong.Response.StatusCode < 500 {
			return nil, denied("%s does not take the code: %d %.60s", s.Name, wrong.Response.StatusCode, wrong.ErrorCode)
		}
		return nil, symbolon.Errorf(symbolon.Busy, op, "%s: %s", s.Name, short(err))
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return nil, denied("%s sent no id_token", s.Name)
	}
	// Issuer, audience, expiry and signature, by asymmetric algorithms only: go-oidc
	// takes up no others from what the server says of itself.
	token, err := f.issuer.Verifier(&oidc.Config{ClientID: s.ClientID, Now: s.now}).Verify(ctx, raw)
	if err != nil {
		return nil, denied("the id_token of %s: %s", s.Name, short(err))
	}
	var c claims
	if err := token.Claims(&c); err != nil {
		return nil, denied("the claims of the id_token of %s: %s", s.Name, short(err))
	}
	switch {
	case token.Nonce == "" || token.Nonce != ask.Nonce: // OpenID Connect Core §3.1.3.7, 11
		return nil, denied("the id_token of %s was not made for this browser", s.Name)
	case len(token.Audience) > 1 && c.Party == "" || c.Party != "" && c.Party != s.ClientID: // 4, 5
		return nil, denied("the id_token of %s was made for another app", s.Name)
	case token.Subject == "" || len(token.Subject) > symbolon.MaxIdentity:
		return nil, denied("the id_token of %s has no sub that can be kept", s.Name)
	case token.IssuedAt.After(s.now().Add(skew)):
		return nil, denied("the id_token of %s is from the future", s.Name)
	}
	if (c.Name == "" || c.Email == "") && f.issuer.UserInfoEndpoint() != "" {
		c.fill(ctx, f.issuer, tokens, token.Subject)
	}
	p := c.person(token.Subject)
	if len(s.EmailDomains) > 0 && !s.admits(p) {
		return nil, denied("the person has no verified address of the domains that count for %s", s.Name)
	}
	return p, nil
}

// skew is how far the clock there may be off.
const skew = time.Minute

// admits reports whether a person has a verified address of EmailDomains.
func (s *Server) admits(p *Person) bool {
	_, domain, found := strings.Cut(p.Email, "@")
	return found && p.EmailVerified && slices.ContainsFunc(s.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
}
