package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// LogoutRequest is a request to sign a person out, which an app sends the browser
// with (OpenID Connect RP-Initiated Logout §2). Parameters that are not named here
// are ignored.
type LogoutRequest struct {
	IDTokenHint string
	LogoutHint  string
	ClientID    string
	RedirectURI string // post_logout_redirect_uri
	State       string

	faults map[string]string // what is wrong with a parameter, by name
}

// logoutParams are the parameters of such a request. ui_locales is a mere wish.
var logoutParams = []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// ReadLogout reads the parameters of a request to sign out.
func ReadLogout(p *Params) LogoutRequest {
	f := fields{params: p}
	var r LogoutRequest
	for i, value := range r.values() {
		if *value = f.read(logoutParams[i]); f.faults[logoutParams[i]] != "" {
			*value = "" // of what is broken, nothing counts
		}
	}
	f.read("ui_locales")
	r.faults = f.faults
	return r
}

// values are the parameters in the order of logoutParams.
func (r *LogoutRequest) values() []*string {
	return []*string{&r.IDTokenHint, &r.LogoutHint, &r.ClientID, &r.RedirectURI, &r.State}
}

// Logout says what is to become of a request to sign out. Whatever was wrong with
// it, the person may sign out all the same: nothing here is a refusal of that.
type Logout struct {
	// App is the app that asks, when it is known by an ID token or its client_id.
	App *symbolon.App
	// Session is the sign-in of this browser that the app proves to mean, by the ID
	// token that it got in it: it is ended without asking. Nil otherwise.
	Session *symbolon.SignedIn
	// First is the account that the request means among those that are signed in,
	// or empty: the person is asked of it first.
	First symbolon.AccountID
	// Back is the URI to send the browser to afterwards, or empty. It is one that
	// App has registered, with the state.
	Back string
	// Stranger is set when nobody but the request itself says that the app asks, and
	// the app registered itself: nobody is sent to Back without having seen where.
	Stranger bool
	// Wrong says in a sentence what is wrong with the request, or is empty. There is
	// no way back then.
	Wrong string
}

// Logout reads a request to sign out. SignedIn are the live sessions of the
// browser. The error is that of the store.
func (e *Engine) Logout(ctx context.Context, req *LogoutRequest, signedIn []symbolon.SignedIn) (*Logout, error) {
	answer := new(Logout)
	now := e.clock.Now()

	// 1. Is each parameter there once, and whole?
	for _, name := range logoutParams {
		if fault := req.faults[name]; fault != "" {
			answer.wrong("The parameter " + name + " " + fault + ".")
		}
	}

	// 2. Which ID token is presented? It must be ours; that it has expired does not
	// matter (RP-Initiated Logout §2). A token of another kind is none.
	hint, proven := hintClaims{}, false
	if req.IDTokenHint != "" {
		err := e.cfg.Signing.Open(TypeIDToken, req.IDTokenHint, &hint, now)
		proven = err == nil && hint.Issuer == e.cfg.Issuer && hint.Subject != "" && len(hint.Audience) == 1
		if !proven {
			answer.wrong("The id_token_hint is no ID token that this server signed.")
		}
	}

	// 3. Who asks? The app that the token was given to, or that client_id names; both
	// must be the same (RP-Initiated Logout §2).
	id := req.ClientID
	if req.faults["client_id"] != "" {
		proven = false // nobody knows whether it was the same
	}
	if proven {
		if id != "" && id != hint.Audience[0] {
			proven = false
			answer.wrong("The id_token_hint was given to another app than the one that client_id names.")
		} else {
			id = hint.Audience[0]
		}
	}
	if id != "" {
		app, err := e.client(ctx, id, false)
		switch refusal := storeError(err); {
		case err == nil:
			answer.App = app
		case refusal.Refusal == Unavailable || refusal.Refusal == ServerError:
			return nil, refusal
		default:
			proven = false
			answer.wrong("The app that asks to sign you out is not registered here, or not any more.")
		}
	}

	// 4. Where to afterwards? Only to a URI that this very app has registered, byte
	// for byte (RP-Initiated Logout §3), and never when something is wrong.
	if req.RedirectURI != "" {
		switch {
		case answer.App == nil:
			answer.wrong("The request names a post_logout_redirect_uri, and neither an id_token_hint nor a client_id that says whose it is.")
		case !slices.Contains(answer.App.Settings.OpenID.PostLogoutRedirectURIs, req.RedirectURI):
			answer.wrong("The post_logout_redirect_uri is none of those that the app has registered; it must be the same character by character.")
		case answer.Wrong == "":
			answer.Back = req.RedirectURI
			if req.State != "" {
				answer.Back = withFields(req.RedirectURI, false, []Field{{"state", req.State}})
			}
			answer.Stranger = !proven && answer.App.Settings.Registration != nil
		}
	}

	// 5. Which session? One of this browser that the token was given in is ended
	// without asking; of anything else the person is asked (RP-Initiated Logout §6).
	for i := range signedIn {
		s := &signedIn[i]
		if proven && e.SubjectOf(answer.App, s.Account.ID) == hint.Subject {
			answer.First = s.Account.ID
			if sid := s.Session.ID.String(); sid != "" && sid == hint.Session {
				answer.Session = s
			}
		}
		if answer.First == "" && req.LogoutHint != "" && hints(req.LogoutHint, &s.Account) {
			answer.First = s.Account.ID
		}
	}
	return answer, nil
}

// wrong notes the first thing that is wrong.
func (l *Logout) wrong(sentence string) {
	if l.Wrong == "" {
		l.Wrong = sentence
	}
}

// Query returns the request as the query that ReadLogout reads.
func (r *LogoutRequest) Query() string {
	q := url.Values{}
	for i, value := range r.values() {
		if *value != "" {
			q.Set(logoutParams[i], *value)
		}
	}
	// What is wrong with a parameter stays wrong.
	var rest strings.Builder
	for _, name := range logoutParams {
		if r.faults[name] != "" {
			rest.WriteString("&" + name + "=%zz")
		}
	}
	return strings.TrimPrefix(q.Encode()+rest.String(), "&")
}

// hintClaims are those of an ID token that is shown to sign its person out.
type hintClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Session  string   `json:"sid"`
}

// SignOut ends the sessions of a browser: that of the account, or all. The apps of
// those sessions are told, and what they had of them and was not granted
// offline_access is over, everywhere, when it returns (Back-Channel Logout §2.7).
func (e *Engine) SignOut(ctx context.Context, browser [32]byte, account symbolon.AccountID) error {
	_, err := e.End(ctx, symbolon.End{Browser: browser, Account: account, Reason: symbolon.BySignOut})
	return err
}
