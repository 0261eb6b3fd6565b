package oauth

import (
	"context"
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// AuthorizeRequest is an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3,
// RFC 8707 §2.1). Parameters that are not named here are ignored.
type AuthorizeRequest struct {
	ClientID            string
	RedirectURI         string
	ResponseType        string
	Scope               string
	State               string
	CodeChallenge       string
	CodeChallengeMethod string
	LoginHint           string
	Prompt              string
	Resource            []string
	// Details are authorization_details (RFC 9396 §2), a JSON array.
	Details string
	// DPoPKey is dpop_jkt: the thumbprint of the key that the code is to be bound to
	// (RFC 9449 §10).
	DPoPKey string
	// RequestURI and Object are request_uri and request: where the request stands
	// that was pushed (RFC 9126 §4), or a JWT that is the request (RFC 9101 §5). All
	// that is sent beside them is ignored.
	RequestURI string
	Object     string
	// Fetched says that Object stood at a request_uri of the app's own, which was
	// fetched: then it may do without exp. No parameter sets it.
	Fetched bool
	// ResponseMode is how the answer is to come back; ModeQuery where it is empty.
	ResponseMode string
	OpenID       OpenIDRequest
	// Standard is set on the standard surface: a redirect URI and a scope that go
	// without saying may be left out.
	Standard bool

	implied bool              // the redirect URI went without saying
	pushed  *pushed           // what RequestURI stands for
	signed  bool              // it is, or was pushed as, a request object
	faults  map[string]string // what is wrong with a parameter, by name
}

// authorizeNames are the parameters of an authorization request.
var authorizeNames = []string{"client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method", "login_hint", "prompt", "authorization_details", "dpop_jkt", "resource", "request", "request_uri",
	"response_mode", "nonce", "max_age", "claims", "acr_values", "id_token_hint", "display", "ui_locales"}

// ReadAuthorize reads the parameters of an authorization request.
func ReadAuthorize(p *Params) AuthorizeRequest {
	f := fields{params: p}
	r := AuthorizeRequest{
		ClientID:            f.read("client_id"),
		RedirectURI:         f.read("redirect_uri"),
		ResponseType:        f.read("response_type"),
		Scope:               f.read("scope"),
		State:               f.read("state"),
		CodeChallenge:       f.read("code_challenge"),
		CodeChallengeMethod: f.read("code_challenge_method"),
		LoginHint:           f.read("login_hint"),
		Prompt:              f.read("prompt"),
		Details:             f.read("authorization_details"),
		DPoPKey:             f.read("dpop_jkt"),
		RequestURI:          f.read("request_uri"),
		Object:              f.read("request"),
		ResponseMode:        f.read("response_mode"),
	}
	for i, value := range r.OpenID.values() {
		*value = f.read(openIDNames[i])
	}
	for _, name := range openIDWishes {
		f.read(name)
	}
	r.Resource = f.all("resource")
	r.faults = f.faults
	return r
}

// Query returns the request as the query that ReadAuthorize reads. One that stands
// elsewhere is named by where it stands.
func (r *AuthorizeRequest) Query() string {
	q := url.Values{}
	switch {
	case r.RequestURI != "":
		q.Set("client_id", r.ClientID)
		q.Set("request_uri", r.RequestURI)
		return q.Encode()
	case r.Object != "":
		q.Set("client_id", r.ClientID)
		q.Set("request", r.Object)
		return q.Encode()
	}
	return r.plainQuery()
}

// plainQuery returns the parameters themselves.
func (r *AuthorizeRequest) plainQuery() string {
	q := url.Values{}
	for i, value := range []string{r.ClientID, r.RedirectURI, r.ResponseType, r.Scope, r.State, r.CodeChallenge, r.CodeChallengeMethod, r.LoginHint, r.Prompt, r.Details, r.DPoPKey} {
		if value != "" {
			q.Set(authorizeNames[i], value)
		}
	}
	if r.ResponseMode != "" {
		q.Set("response_mode", r.ResponseMode)
	}
	for i, value := range r.OpenID.values() {
		if *value != "" {
			q.Set(openIDNames[i], *value)
		}
	}
	if len(r.Resource) > 0 {
		q["resource"] = r.Resource
	}
	return q.Encode()
}

// Actor is who makes an authorization request, and what the person in front of
// the browser has answered so far.
type Actor struct {
	// Interactive is set for a browser: a person can be asked. An API caller
	// gets a refusal instead.
	Interactive bool
	// SignedIn are the browser's live sessions, the latest first.
	SignedIn []symbolon.SignedIn
	// CrossSite is set when another site sent the browser here, or may have: an app that
	// registered itself is then asked for, whatever was allowed before, since its
	// sign-in may be another's attack.
	CrossSite bool
	// Begun is when this flow began, or zero at its first request: prompt=login
	// is satisfied by a sign-in after it.
	Begun time.Time
	// Chosen is the account that the person chose in this flow, or empty.
	Chosen symbolon.AccountID
	// Allowed and Denied are the person's answer to the consent page that named
	// Chosen and these scopes. Said is the digest of what it showed of an app that
	// registered itself; what has changed meanwhile was not allowed.
	Allowed, Denied bool
	Said            []byte
	// Declined is set when the person chose to go on without the stronger sign-in that
	// the app would like. What it demands is asked for all the same.
	Declined bool
	// Label is what the person calls the connection, or empty. It is cleaned.
	Label string
}

// Need is what an authorization request still needs.
type Need uint8

const (
	// NeedNothing: the code is there.
	NeedNothing Need = iota
	// NeedSignIn: the person must sign in.
	NeedSignIn
	// NeedChoice: the person must choose one of Accounts.
	NeedChoice
	// NeedStepUp: the person must prove more than they have in the session of Account.
	NeedStepUp
	// NeedConsent: the person must allow the app Scope for Account.
	NeedConsent
)

// Authorization is the answer to an authorization request.
type Authorization struct {
	Need     Need
	App      *symbolon.App
	Accounts []symbolon.Account
	Account  symbolon.Account
	Scope    symbolon.Scopes
	// New are the scopes that the account has not allowed the app before.
	New symbolon.Scopes
	// Details says in sentences what the authorization_details allow, APIs what the
	// tokens are for, when the request says it.
	Details, APIs []string
	// Callback is set when Need is NeedNothing.
	Callback Callback
	// StepUp is the acr to reach, when Need is NeedStepUp; Demanded says that there is
	// no going on without.
	StepUp   string
	Demanded bool
	// Passkey says that a passkey of the account will do as well.
	Passkey bool
}

// Authorize is step 1: it decides whether the account may be connected to the
// app, and gives a code (RFC 6749 §4.1.1 and §4.1.2). Nothing is written but
// the person's consent, at the moment it is given.
func (e *Engine) Authorize(ctx context.Context, req *AuthorizeRequest, who Actor) (*Authorization, error) {
	now := e.clock.Now()

	// 1. Who asks? Until app and redirect URI are proven, no one is redirected.
	if app, err := e.stranger(ctx, req, &who); app != nil || err != nil {
		return &Authorization{Need: NeedSignIn, App: app}, err
	}
	if err := e.resolve(ctx, req, &who, now); err != nil {
		return nil, err
	}
	app, err := e.provenApp(ctx, req, &who)
	if err != nil {
		return nil, err
	}
	proven := func(err error) error { return e.redirectable(err, req, app, &who) }

	// 2. What is asked?
	code := symbolon.Code{RedirectURI: sha256.Sum256([]byte(req.RedirectURI)), ImpliedURI: req.implied}
	wants, err := e.readAuthorization(req, app, &code, now)
	if err != nil {
		return nil, proven(err)
	}
	if who.Interactive && len(req.Query()) > maxQuery {
		return nil, proven(tooLongToCarry())
	}
	answer := &Authorization{App: app, Scope: code.Scope.With(wants.claims.scopes()), Details: e.sentences(code.Details), APIs: e.called(code.Resource)}

	// 3. Is it allowed? By whom, for which account?
	prompt := strings.Fields(req.Prompt)
	if who.Denied {
		return nil, proven(refuse(AccessDenied, "The person did not allow the app to connect."))
	}
	session, need, err := e.pickAccount(ctx, req, prompt, app, &code, &who, &wants, now)
	if err != nil {
		return nil, proven(storeError(err))
	}
	if need == NeedNothing {
		answer.Account = session.Account
		need, err = e.checkConsent(ctx, prompt, answer, &code, &who)
		if err != nil {
			return nil, proven(storeError(err))
		}
	}
	if need != NeedNothing {
		if !who.Interactive || slices.Contains(prompt, "none") {
			return nil, proven(cannotAsk(need))
		}
		wants.ask(answer, need, &session)
		for _, s := range who.SignedIn {
			answer.Accounts = append(answer.Accounts, s.Account)
		}
		return answer, nil
	}

	// 4. Spend: nothing, but the consent that was just given, and the request that
	// was pushed.
	if who.Allowed {
		err = e.allow(ctx, app, session.Account.ID, answer.Scope, &code, now)
	} else if code.Sandbox {
		err = e.keepApp(ctx, app)
	}
	if err == nil {
		err = e.spendPushed(ctx, req, now)
	}
	if err != nil {
		return nil, proven(storeError(err))
	}

	// 5. Answer: a connection that is not yet born.
	code.Connection = symbolon.NewConnectionID(now)
	code.Client = app.ID
	code.Account = session.Account.ID
	code.Name = session.Account.Name
	code.AuthAt = session.Session.AuthAt
	code.Label = symbolon.CleanLabel(who.Label)
	e.promise(&code, req, &wants, &session.Session)
	code.IssuedAt, code.ExpiresAt = now, now.Add(e.codeLifetime(app))
	if e.feed.Over(&code.Grant) {
		// All up to and including this very millisecond was ended: what were
		// made now would be dead.
		r := refuse(Unavailable, "All that the account allowed was ended in this moment; send the same request again shortly.")
		r.RetryAfter = time.Second
		return nil, proven(r)
	}
	if answer.Callback, err = e.respond(ctx, app, req, &code, &session.Account, now); err != nil {
		return nil, proven(err)
	}
	return answer, nil
}

// provenApp returns the app once it and its redirect URI are proven.
func (e *Engine) provenApp(ctx context.Context, req *AuthorizeRequest, who *Actor) (*symbolon.App, error) {
	for _, name := range [...]string{"client_id", "redirect_uri"} {
		if fault := req.faults[name]; fault != "" {
			return nil, faulty(name, fault)
		}
	}
	if req.ClientID == "" {
		return nil, refuse(InvalidRequest, "The parameter client_id is missing.").absent("client_id", "RFC 6749 §4.1.1")
	}
	app, err := e.client(ctx, req.ClientID, e.mayFetch(who))
	if err != nil {
		if e.isDocumentURL(req.ClientID) && !e.mayFetch(who) && storeError(err).Refusal == UnknownClient {
			return nil, cannotAsk(NeedSignIn)
		}
		return nil, err
	}
	if err := e.provenRedirect(app, req); err != nil {
		return nil, err
	}
	return app, nil
}

// provenRedirect proves the redirect URI of a request.
func (e *Engine) provenRedirect(app *symbolon.App, req *AuthorizeRequest) error {
	// RFC 6749 §3.1.2.3: it may be left out when there is only one; not so in OpenID
	// Connect (Core §3.1.2.1).
	// FAPI 2.0 §5.3.2.2, 6: there it may not.
	if req.RedirectURI == "" && req.Standard && len(app.RedirectURIs) == 1 && !isFAPI(app) && !slices.Contains(strings.Fields(req.Scope), "openid") {
		req.RedirectURI, req.implied = app.RedirectURIs[0], true
	}
	if req.RedirectURI == "" {
		return refuse(InvalidRequest, "The parameter redirect_uri is missing.").from(app.ID).absent("redirect_uri", "RFC 6749 §4.1.1")
	}
	// RFC 9700 §2.1: exact string matching.
	if !matchRedirectURI(app, req.RedirectURI) {
		r := refuse(InvalidRequest, "The redirect_uri is not registered for this app; it must be the same character by character.").from(app.ID).whyURI(req.RedirectURI, app.RedirectURIs)
		r.Mismatch, r.Sent = app, req.RedirectURI
		return r
	}
	if isFAPI(app) && !isSafeRedirect(req.RedirectURI) { // FAPI 2.0 §5.3.2.2, 8
		return refuse(InvalidRequest, "The redirect_uri must be https, or http to a loopback IP address: the profile of this app is fapi2.").from(app.ID)
	}
	return nil
}

// redirectable marks a refusal as one that a browser may carry to the app.
//
// For an app that registered itself it may only once the person has signed in, or
// has seen a page and said no: otherwise anyone could make of this server a link
// that leads anywhere (RFC 9700 §4.11.2; with prompt=none the section exempts it).
func (e *Engine) redirectable(err error, req *AuthorizeRequest, app *symbolon.App, who *Actor) error {
	r := storeError(err)
	r.Client = app.ID
	if app.Settings.Registration != nil && len(who.SignedIn) == 0 && !who.Denied && !req.silent() {
		return r
	}
	if r.Testing && who.Interactive && !req.silent() {
		return r // the person is told: who may try the app out is between its owner and this server
	}
	r.Redirect, r.app, r.mode = req.RedirectURI, app, e.mode(req)
	if req.faults["state"] == "" {
		r.State = req.State
	}
	return r
}

// silent reports whether the request has prompt=none.
func (r *AuthorizeRequest) silent() bool { return slices.Contains(strings.Fields(r.Prompt), "none") }

// maxQuery bounds the request as Query writes it, in bytes: sealed into the
// state of a page it must fit into an address.
const maxQuery = 8000

func tooLongToCarry() *Error {
	return refuse(InvalidRequest, "The request is too long to be carried through the pages; shorten state or login_hint.")
}

// maxState bounds the state parameter, which must fit into a redirect.
const maxState = 4096

// readAuthorization checks all that can be checked without knowing the person.
func (e *Engine) readAuthorization(req *AuthorizeRequest, app *symbolon.App, code *symbolon.Code, now time.Time) (wish, error) {
	w := wish{maxAge: -1}
	if err := e.readPlain(req, app, code, now); err != nil {
		return w, err
	}
	if err := req.readSignIn(&w); err != nil || !e.openID(code.Scope) {
		return w, err
	}
	return w, e.readOpenID(req, app, &w, now)
}

// readPlain checks what is not of OpenID Connect alone.
func (e *Engine) readPlain(req *AuthorizeRequest, app *symbolon.App, code *symbolon.Code, now time.Time) error {
	for _, name := range authorizeNames {
		if fault := req.faults[name]; fault != "" {
			return faulty(name, fault)
		}
	}
	if err := e.checkMode(req, app, now); err != nil {
		return err
	}
	if t := req.ResponseType; t != "" && t != "code" {
		if err := e.checkFront(req, app); err != nil {
			return err
		}
	}
	switch {
	case !req.front().any() && !app.MayUse(symbolon.GrantCode):
		return refuse(UnauthorizedClient, "This app is not registered for the grant authorization_code, so it needs no code; its owner can allow it.")
	case req.pushed == nil && (app.Settings.RequirePAR || e.cfg.RequirePAR): // RFC 9126 §5, §6
		return refuse(InvalidRequest, "This app must push its authorization requests to /oauth2/par first, and send the request_uri that it gets.")
	case !req.signed && app.Settings.RequireSigned: // RFC 9101 §10.5
		return refuse(InvalidRequest, "This app must send its authorization requests as signed request objects, in the parameter request.")
	case len(req.State) > maxState:
		return refuse(InvalidRequest, "The parameter state is longer than 4096 bytes.")
	case req.ResponseType == "":
		return refuse(InvalidRequest, "The parameter response_type is missing; it must be code.").absent("response_type", "RFC 6749 §4.1.1")
	case req.Scope == "" && req.Standard:
		// RFC 6749 §3.3: a default that is documented, never all scopes.
		if req.Scope = e.cfg.DefaultScope.Within(app.Scope).String(); req.Scope == "" {
			return refuse(InvalidScope, "The parameter scope is missing, and this app may not have the scope that is the default.")
		}
	case req.Scope == "":
		return refuse(InvalidRequest, "The parameter scope is missing; it names what the app may do, for instance connect.").absent("scope", "RFC 6749 §3.3")
	}
	scope, err := symbolon.ParseScopes(req.Scope)
	if (err != nil || !mayHave(app).Covers(scope)) && strings.Contains(req.Scope, ",") {
		return refuse(InvalidScope, "The names in scope are separated by single spaces, not by commas.").whyScope(req.Scope, mayHave(app))
	}
	if err != nil {
		return refuse(InvalidScope, "The scope is malformed: names are separated by exactly one space (RFC 6749 section 3.3).").whyScope(req.Scope, mayHave(app))
	}
	if !mayHave(app).Covers(scope) {
		return refuse(InvalidScope, "A scope was asked for that does not exist or is not among those registered for this app.").whyScope(req.Scope, mayHave(app))
	}
	code.Scope = scope
	if req.DPoPKey != "" {
		key, err := challengeText.DecodeString(req.DPoPKey)
		if err != nil || len(key) != len(code.Binding.Thumbprint) {
			return refuse(InvalidRequest, "The dpop_jkt must be the SHA-256 thumbprint of a JWK in base64url without padding: 43 characters.")
		}
		code.Binding = symbolon.Binding{Kind: symbolon.BoundByDPoP, Thumbprint: [32]byte(key)}
	}
	if req.front().any() {
		// There is no code that a challenge could be for.
	} else if why := readChallenge(app, req.CodeChallenge, req.CodeChallengeMethod, code); why != "" {
		return refuse(InvalidRequest, why).whyChallenge(req)
	}
	if code.Resource, err = e.target(app, req.Resource); err != nil {
		return err
	}
	if err := e.adminTarget(app, scope, code.Resource); err != nil {
		return err
	}
	if req.front().any() && slices.ContainsFunc(scope, IsAdminScope) {
		return refuse(InvalidScope, "A token for the admin API is never brought by the browser; use response_type=code.")
	}
	if req.Details != "" {
		list, why := e.readDetails(req.Details)
		if why != "" {
			return refuse(InvalidDetails, why)
		}
		code.Details = joinDetails(list)
	}
	if p := strings.Fields(req.Prompt); len(p) > 1 && slices.Contains(p, "none") {
		// OpenID Connect Core §3.1.2.1.
		return refuse(InvalidRequest, "The prompt none cannot be combined with another.")
	}
	return nil
}

func cannotAsk(need Need) *Error {
	if need == NeedConsent {
		return refuse(ConsentRequired, "The account has not allowed this app these scopes; begin step 1 in the person's browser, without prompt=none, to ask.").because("consent covers what is asked", "OpenID Connect Core §3.1.2.6").mend("Send the person's browser to this address, and leave prompt=none out.")
	}
	return refuse(LoginRequired, "No one is signed in whom this request could be for; begin step 1 in the person's browser, without prompt=none, so that they can sign in.").because("somebody is signed in", "OpenID Connect Core §3.1.2.6").mend("Send the person's browser to this address, and leave prompt=none out.")
}
