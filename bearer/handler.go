package bearer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Handler lets requests through to next that carry a good token with all of the
// scopes, and answers the others as Refuse does. The token is in the request's
// context. It panics when a scope could be none: that is a mistake in the code,
// and would refuse everybody.
func (v *Verifier) Handler(next http.Handler, scopes ...string) http.Handler {
	for _, s := range scopes {
		if !validScope(s) {
			panic("bearer: a scope of Handler has characters that no scope may have")
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := v.CheckRequest(r, scopes...)
		if err != nil {
			v.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), token)))
	})
}

// CheckRequest returns the token of a request, which must have all of the
// scopes. The token is taken from the Authorization header only. Every error is
// an *Error.
func (v *Verifier) CheckRequest(r *http.Request, scopes ...string) (*Token, error) {
	text, bound, err := credentials(r)
	if err != nil {
		err.Scopes = scopes
		return nil, err
	}
	token, err := v.check(r.Context(), text)
	if err != nil {
		err.Scopes, err.dpop = scopes, err.dpop || bound
		return nil, err
	}
	if err := v.proven(r, text, token, bound); err != nil {
		return nil, err
	}
	for _, s := range scopes {
		if !token.Has(s) {
			return nil, &Error{Status: http.StatusForbidden, Code: "insufficient_scope", Scopes: scopes, dpop: bound,
				Description: "The access token lacks a scope that this request needs."}
		}
	}
	return token, nil
}

// Check returns what a token says, for callers that do not come by HTTP. A token
// that is bound to a key is refused, since it comes without its proof. Every
// error is an *Error.
func (v *Verifier) Check(ctx context.Context, token string) (*Token, error) {
	t, err := v.check(ctx, token)
	if err != nil {
		return nil, err
	}
	if t.Confirmation != (Confirmation{}) {
		return nil, unbound("The access token is bound to a key, and was shown without a proof.")
	}
	return t, nil
}

// check finds out whether a token is good, whoever shows it.
func (v *Verifier) check(ctx context.Context, text string) (*Token, *Error) {
	if text == "" {
		return nil, missing()
	}
	if !b64token(text) {
		return nil, invalid("The access token is malformed.")
	}
	var t *Token
	var err error
	ask := v.o.ClientID != ""
	if v.offline && (!ask || isAccessJWT(text)) {
		t, err = v.checkJWT(ctx, text)
		if err == nil && v.o.AlwaysAsk {
			// Whether it lives is the server's word; what it says is signed.
			_, err = v.introspect(ctx, text)
		}
	} else {
		t, err = v.introspect(ctx, text)
	}
	if err == nil {
		return t, nil
	}
	var refused *Error
	if !errors.As(err, &refused) {
		refused = v.away(ctx, 0, err)
	}
	return nil, refused
}

// credentials returns the token of the Authorization header (RFC 6750 §2.1), and
// whether it was sent by DPoP's scheme (RFC 9449 §7.1).
func credentials(r *http.Request) (text string, bound bool, err *Error) {
	headers := r.Header.Values("Authorization")
	inQuery := false
	if strings.Contains(r.URL.RawQuery, "access") { // "_" may be encoded
		query, _ := url.ParseQuery(r.URL.RawQuery)
		inQuery = query.Has("access_token")
	}
	switch {
	case len(headers) > 1:
		return "", false, malformed("There is more than one Authorization header.")
	case len(headers) == 1 && inQuery:
		return "", false, malformed("The access token is sent twice; send it in the Authorization header only.")
	case inQuery:
		e := missing()
		e.Description = "An access token in the address is not taken, as addresses are logged; send it as Authorization: Bearer TOKEN."
		return "", false, e
	case len(headers) == 0:
		return "", false, missing()
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	bound = strings.EqualFold(scheme, "DPoP")
	text = strings.Trim(rest, " ")
	if !bound && !strings.EqualFold(scheme, "Bearer") || text == "" {
		return "", false, missing()
	}
	return text, bound, nil
}

// b64token reports whether s is a token as headers may carry it (RFC 6750 §2.1).
func b64token(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && len(s) <= maxToken && strings.Trim(body, compact+"~+/") == ""
}

// proven checks that who shows a token holds the key that it is bound to.
func (v *Verifier) proven(r *http.Request, text string, t *Token, bound bool) *Error {
	c := t.Confirmation
	if bound && c.Key == "" {
		return unbound("The access token is not bound to a key, and must be sent as Bearer.") // RFC 9449 §7.1
	}
	if c.Certificate != "" {
		// RFC 8705 §3: only a connection of our own shows the certificate.
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return invalid("The access token is bound to a TLS certificate, which this connection does not show.")
		}
		sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
		if !same(base64.RawURLEncoding.EncodeToString(sum[:]), c.Certificate) {
			return invalid("The access token is bound to another TLS certificate.")
		}
	}
	if c.Key == "" {
		return nil
	}
	if !bound {
		return unbound("The access token is bound to a key; send it as Authorization: DPoP TOKEN, with a proof.")
	}
	return v.checkProof(r, text, t)
}

// Refuse answers a request with an error of CheckRequest (RFC 6750 §3): status,
// WWW-Authenticate with where the API's metadata is (RFC 9728 §5.1), and the
// error as JSON. Any other error is answered 503.
func (v *Verifier) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = v.away(r.Context(), 0, err)
	}
	header := w.Header()
	if e.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	} else {
		header.Set("WWW-Authenticate", v.challenge(e))
	}
	code := e.Code
	if code == "" {
		code = "invalid_token"
	}
	body, _ := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, e.Description}) // strings always have JSON
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // a client that has gone cannot be told
}

// challenge writes WWW-Authenticate. All that it is made of was checked to be in
// characters of a quoted string.
func (v *Verifier) challenge(e *Error) string {
	var params []string
	add := func(name, value string) {
		if value != "" {
			params = append(params, name+`="`+value+`"`)
		}
	}
	scheme := "Bearer "
	if e.dpop {
		scheme = "DPoP "
		add("algs", strings.Join(algorithmNames, " ")) // RFC 9449 §7.1
	}
	if e.Code != "" { // RFC 6750 §3.1: without a token, no error code
		add("error", e.Code)
		add("error_description", e.Description)
	}
	if e.Code == "" || e.Code == "insufficient_scope" {
		add("scope", strings.Join(e.Scopes, " "))
	}
	if e.Code == insufficientAuthentication { // RFC 9470 §3
		add("acr_values", strings.Join(e.SignIn.ACR, " "))
		if e.SignIn.MaxAge > 0 {
			add("max_age", strconv.Itoa(int(e.SignIn.MaxAge/time.Second)))
		}
	}
	add("resource_metadata", v.metaURL)
	if len(params) == 0 {
		add("realm", "api") // RFC 6750 §3: one parameter at least
	}
	return scheme + strings.Join(params, ", ")
}
