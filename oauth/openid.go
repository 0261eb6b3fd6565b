package oauth

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
)

// scopeOpenID makes an authorization request one of OpenID Connect (Core §3.1.2.1).
const scopeOpenID = "openid"

// OpenIDRequest are the parameters that OpenID Connect adds to an authorization
// request (Core §3.1.2.1, §5.5), but for openIDWishes.
type OpenIDRequest struct {
	Nonce       string
	MaxAge      string
	Claims      string
	IDTokenHint string
	ACRValues   string
	// UILocales are the languages that the app wishes for the person, by BCP 47 tags with
	// spaces between, the dearest first.
	UILocales string
}

// openIDNames are those parameters, in the order of values.
var openIDNames = []string{"nonce", "max_age", "claims", "id_token_hint", "acr_values", "ui_locales"}

// openIDWishes are the others: mere wishes, for what there is no choice of here. No
// more is asked of them than of every parameter, that they come once and well-formed.
var openIDWishes = []string{"display"}

func (r *OpenIDRequest) values() []*string {
	return []*string{&r.Nonce, &r.MaxAge, &r.Claims, &r.IDTokenHint, &r.ACRValues, &r.UILocales}
}

// openID reports whether what is granted by these scopes signs a person in.
func (e *Engine) openID(scope symbolon.Scopes) bool {
	return e.cfg.IDToken != nil && scope.Has(scopeOpenID)
}

// maxNonce bounds the nonce, which is sealed into the code, in bytes. Those of
// clients have 16 to 64; one of 384 is tried by a suite of tests.
const maxNonce = 1024

// wish is what an authorization request says of the person and the sign-in.
type wish struct {
	// maxAge is how long ago the person may have signed in; negative is without
	// limit.
	maxAge time.Duration
	// subject is the only person whom it may be for, by sub or id_token_hint, or
	// empty.
	subject string
	// acr are those that the sign-in must have one of, when there are any, and
	// preferred those that it had better have, the best one first.
	acr, preferred []string
	// claims are those that were named one by one.
	claims namedClaims
}

// namedClaims are the claims that a request names one by one, by where they go.
type namedClaims struct {
	idToken, userinfo []string
}

// String returns their one spelling: names with single spaces between, those of
// the ID token and behind a slash those of userinfo. It is empty without any.
func (n *namedClaims) String() string {
	if len(n.idToken) == 0 && len(n.userinfo) == 0 {
		return ""
	}
	return strings.Join(n.idToken, " ") + "/" + strings.Join(n.userinfo, " ")
}

// NamedClaims returns the claims that a grant names one by one: those of the ID
// token and those of userinfo. What the owner has taken from the app since then is
// not among them.
func NamedClaims(app *symbolon.App, g *symbolon.Grant) (idToken, userinfo []string) {
	refused := func(name string) bool { return !mayTell(app, name) }
	before, after, _ := strings.Cut(g.Claims, "/")
	return slices.DeleteFunc(strings.Fields(before), refused), slices.DeleteFunc(strings.Fields(after), refused)
}

// mayTell reports whether a claim is known here, and the app may have the scope that
// stands for it.
func mayTell(app *symbolon.App, name string) bool {
	scope, ok := claimScopes[name]
	return ok && (scope == "" || mayHave(app).Has(scope))
}

// claimScopes has the scope that stands for each claim that may be asked for by
// name (OpenID Connect Core §5.4), or "" where it says nothing of the person.
var claimScopes = map[string]string{
	"auth_time": "", "acr": "", "amr": "", "sub": "",
	"name": "profile", "given_name": "profile", "family_name": "profile", "middle_name": "profile", "nickname": "profile",
	"preferred_username": "profile", "profile": "profile", "picture": "profile", "website": "profile", "gender": "profile",
	"birthdate": "profile", "zoneinfo": "profile", "locale": "profile", "updated_at": "profile",
	"email": "email", "email_verified": "email",
	"phone_number": "phone", "phone_number_verified": "phone",
	"address": "address",
}

// claimAsked is one claim of a claims request (OpenID Connect Core §5.5.1).
type claimAsked struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// texts returns the values that are asked for, which must be strings.
func (a *claimAsked) texts(name string) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	var list []string
	asked := a.Values
	if len(a.Value) > 0 && string(a.Value) != "null" {
		asked = append([]json.RawMessage{a.Value}, asked...)
	}
	for _, raw := range asked {
		var text string
		if json.Unmarshal(raw, &text) != nil || text == "" {
			// Passed over, it would be as if nobody had asked for it.
			return nil, refuse(InvalidRequest, "The values of "+name+" in the parameter claims must be strings that are not empty.")
		}
		list = append(list, text)
	}
	return list, nil
}

// readOpenID reads what an authorization request with the scope openid says of the
// person. Without that scope it is plain OAuth, and all of it is ignored but what
// readSignIn reads.
func (e *Engine) readOpenID(req *AuthorizeRequest, app *symbolon.App, w *wish, now time.Time) (err error) {
	if err := e.signsFor(app, now); err != nil {
		return err // it would fail at the end, when a person has done their part
	}
	o := &req.OpenID
	if len(o.Nonce) > maxNonce {
		// Cut short, it would not be the one that the client compares with.
		return refuse(InvalidRequest, "The nonce is longer than 1024 bytes.")
	}
	if s := app.Settings.OpenID.DefaultMaxAge; o.MaxAge == "" && s > 0 {
		w.maxAge = time.Duration(s) * time.Second
	}
	if len(w.preferred) == 0 {
		w.preferred = app.Settings.OpenID.DefaultACR // Registration §2: a wish as well
	}
	if o.Claims != "" {
		if err := w.readClaims(o.Claims, app); err != nil {
			return err
		}
	}
	if o.IDTokenHint != "" {
		subject, err := e.hinted(o.IDTokenHint, now)
		if err != nil {
			return err
		}
		if w.subject != "" && w.subject != subject {
			return refuse(InvalidRequest, "The id_token_hint and the sub in claims are about two people.")
		}
		w.subject = subject
	}
	return nil
}

// readClaims reads the parameter claims (OpenID Connect Core §5.5).
func (w *wish) readClaims(text string, app *symbolon.App) error {
	var members map[string]json.RawMessage
	if jwt.Decode([]byte(text), &members) != nil || members == nil {
		return refuse(InvalidRequest, "The parameter claims is not a JSON object, or a name stands twice in it.")
	}
	place := func(name string, into *[]string) (map[string]*claimAsked, error) {
		var list map[string]*claimAsked
		if raw := members[name]; len(raw) > 0 && jwt.Decode(raw, &list) != nil {
			return nil, refuse(InvalidRequest, "The member "+name+" of claims must be an object, whose members are null or an object with essential, value or values.")
		}
		for claim := range list {
			// What is not known is left out, essential or not (Core §5.5.1).
			if mayTell(app, claim) {
				*into = append(*into, claim)
			}
		}
		slices.Sort(*into)
		return list, nil
	}
	idToken, err := place("id_token", &w.claims.idToken)
	if err != nil {
		return err
	}
	userinfo, err := place("userinfo", &w.claims.userinfo)
	if err != nil {
		return err
	}
	acr, err := idToken["acr"].texts("acr")
	if err != nil {
		return err
	}
	if len(acr) > 0 && idToken["acr"].Essential {
		w.acr = acr // Core §5.5.1.1
	}
	for _, list := range []map[string]*claimAsked{idToken, userinfo} {
		sub, err := list["sub"].texts("sub")
		switch {
		case err != nil:
			return err
		case len(sub) == 0:
		case len(sub) > 1 || w.subject != "" && w.subject != sub[0]:
			return refuse(InvalidRequest, "The parameter claims asks for two people at once.")
		default:
			w.subject = sub[0] // Core §5.5.1: the request is for nobody else
		}
	}
	return nil
}

// hinted returns whom an ID token of ours is about (OpenID Connect Core §3.1.2.1).
// That it has expired does not matter, nor which app it was given to.
func (e *Engine) hinted(text string, now time.Time) (string, error) {
	var claims struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
	}
	if strings.Count(text, ".") == 4 {
		// OpenID Connect Core §3.1.2.1: the app decrypts it, which only the app can.
		return "", refuse(InvalidRequest, "The id_token_hint is encrypted; send the signed ID token that is inside.")
	}
	if err := e.cfg.Signing.Open(TypeIDToken, text, &claims, now); err != nil || claims.Issuer != e.cfg.Issuer || claims.Subject == "" {
		return "", refuse(InvalidRequest, "The id_token_hint is no ID token that this server signed.")
	}
	return claims.Subject, nil
}

// TypeIDToken is the typ in the header of an ID token, which tells it from every
// other JWT that this server signs (RFC 8725 §3.11).
const TypeIDToken = "JWT"

// SubjectOf returns the claim sub: the name by which an app knows an account. It is
// the account's id or, for an app with pairwise subjects, what no app of another
// sector can tell that it is the same person's (OpenID Connect Core §8.1).
func (e *Engine) SubjectOf(app *symbolon.App, account symbolon.AccountID) string {
	if !app.Settings.OpenID.Pairwise {
		return string(account)
	}
	mac := hmac.New(sha256.New, e.cfg.PairwiseKey[:])
	mac.Write([]byte(app.Settings.OpenID.Sector + "\x00" + string(account)))
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

// scopes are those that the person has to have allowed for the claims that were
// named one by one.
func (n *namedClaims) scopes() symbolon.Scopes {
	var list symbolon.Scopes
	for _, name := range slices.Concat(n.idToken, n.userinfo) {
		if scope := claimScopes[name]; scope != "" && !list.Has(scope) {
			list = append(list, scope)
		}
	}
	return list
}

// How a person proved who they are, the claim acr (OpenID Connect Core §2).
const (
	// ACROne: by one factor, a password.
	ACROne = "1"
	// ACRTwo: by two.
	ACRTwo = "2"
	// ACRPasskey: by a key that no other site can be handed (OpenID Connect EAP ACR
	// Values §2: phishing-resistant).
	ACRPasskey = "phr"
)

// acrOf returns how the person proved who they are.
func acrOf(s *symbolon.Session) string { return cmp.Or(s.ACR, ACROne) }

// promise records in a code what its ID token will say.
func (e *Engine) promise(code *symbolon.Code, req *AuthorizeRequest, wants *wish, s *symbolon.Session) {
	e.signedInBy(&code.Grant, s)
	if e.openID(code.Scope) {
		code.Nonce, code.Claims = req.OpenID.Nonce, wants.claims.String()
	}
}

// signsFor refuses what an ID token would be part of, when there is no key to sign
// it with.
func (e *Engine) signsFor(app *symbolon.App, now time.Time) error {
	algorithm := app.Settings.OpenID.SigningAlgorithm()
	if slices.Contains(e.cfg.Signing.Algorithms(now), algorithm) {
		return nil
	}
	return refuse(ServerError, "The server has no key to sign the ID tokens of this app with; its operator finds the cause in the log under this request_id.").
		detail("no signing key for " + algorithm + ", which the app " + app.ClientID() + " has as id_token_signed_response_alg").from(app.ID)
}

// person sees that there will be an ID token where one is due, and reads whom it is
// about, when it is to say more of them than the grant does. It comes before
// anything is spent: a store that is away then costs nothing.
//
// It is due for what was granted: a token for an API has only the scopes that mean
// something there, and still comes with one.
func (e *Engine) person(ctx context.Context, c *caller, scope symbolon.Scopes, g *symbolon.Grant) error {
	if c.signsIn = e.openID(scope); !c.signsIn {
		return nil
	}
	if err := e.signsFor(c.app, c.now); err != nil {
		return err
	}
	var err error
	if c.reads, err = e.readerKeys(ctx, c.app, c.app.Settings.OpenID.IDTokenEncryption, "id_token_encrypted_response_alg", c.now); err != nil {
		return err
	}
	idToken, _ := NamedClaims(c.app, g)
	if !slices.ContainsFunc(idToken, func(name string) bool { return claimScopes[name] != "" }) {
		return nil
	}
	found, err := e.store.Accounts(ctx, symbolon.AccountQuery{ID: g.Account, Limit: 1})
	switch {
	case err != nil:
		return storeError(err).from(c.app.ID)
	case len(found) == 0:
		return c.no(InvalidGrant, "The account is gone.")
	}
	c.account = &found[0]
	return nil
}

// issued is what else an answer tells of how it came about.
type issued struct {
	// nonce is that of the authorization request; there is none after a refresh.
	nonce string
	// rollback is TokenResponse.Rollback.
	rollback bool
}

// issueSigned issues what a grant of a person's brings: as issue, and an ID token where
// person found that one is due.
func (e *Engine) issueSigned(c *caller, grant symbolon.Grant, refresh string, expires time.Time, of issued) (*TokenResponse, error) {
	answer, err := e.issue(c, grant, refresh, expires)
	if err != nil {
		return nil, err
	}
	answer.Rollback = of.rollback
	if !c.signsIn {
		return answer, nil
	}
	answer.IDToken, err = e.cfg.IDToken(&IDTokenRequest{
		App: c.app, Grant: answer.Grant, Account: c.account, Subject: e.SubjectOf(c.app, answer.Grant.Account),
		Nonce: of.nonce, AccessToken: answer.AccessToken, Reader: c.reads, Now: c.now,
	})
	if err != nil {
		return nil, storeError(err).from(c.app.ID)
	}
	return answer, nil
}

// IDTokenRequest is what an ID token is made of.
type IDTokenRequest struct {
	App   *symbolon.App
	Grant symbolon.Grant
	// Account is set when claims about the person were asked for by name, or Scopes are
	// set: those whose claims stand in the ID token, since nobody can ask at userinfo.
	Account *symbolon.Account
	Scopes  symbolon.Scopes
	// Subject is the claim sub.
	Subject string
	// Nonce is that of the authorization request; empty after a refresh.
	Nonce string
	// AccessToken is the one beside it, for at_hash.
	AccessToken string
	// Reader is the app's key set, with a key that fits, where it wants the token
	// encrypted.
	Reader *jwt.Set
	Now    time.Time
}
