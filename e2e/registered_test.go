//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// toTheApp is the authorization request of an app that registered itself.
func (s *server) toTheApp(id, redirect string, pairs ...string) string {
	_, challenge := pkce()
	v := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "scope": {"connect"}, "state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
	return "/oauth2/authorize?" + with(v, pairs...).Encode()
}

// B29: an app that registered itself makes of the server no link that leads where
// it likes, before the person has signed in.
func TestSelfRegisteredAppIsNoOpenRedirect(t *testing.T) {
	t.Parallel()
	d := demo(t)
	const evil = "https://evil.example/cb"
	r := d.postRaw(t, "/oauth2/register", "application/json", `{"redirect_uris":["`+evil+`"],"token_endpoint_auth_method":"none"}`)
	if r.Status != http.StatusCreated {
		t.Fatalf("registration: %d %s", r.Status, r.Body)
	}
	id := r.text("client_id")
	html := header("Accept", "text/html")
	for _, wrong := range [][]string{{"scope", "bad"}, {"response_type", "token"}, {"code_challenge_method", "plain"}, {"resource", "x#y"}} {
		r := send(t, newClient(), request(t, "GET", d.base+d.toTheApp(id, evil, wrong...), nil, html))
		if r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
			t.Errorf("%v: %d, sent to %q", wrong, r.Status, r.Header.Get("Location"))
		}
	}
	r = send(t, newClient(), request(t, "GET", d.base+d.toTheApp(id, evil, "scope", "bad", "prompt", "none"), nil, html))
	if to := r.Header.Get("Location"); !strings.HasPrefix(to, evil+"?error=invalid_scope") {
		t.Errorf("prompt=none: %d, sent to %q", r.Status, to)
	}
	// With nobody signed in and nothing wrong, it is the sign-in page.
	r = send(t, newClient(), request(t, "GET", d.base+d.toTheApp(id, evil), nil, html))
	if r.Status != http.StatusOK || r.Header.Get("Location") != "" {
		t.Errorf("%d, sent to %q", r.Status, r.Header.Get("Location"))
	}
}

// An app connects by the URL of its document, which the server fetches.
func TestClientDocument(t *testing.T) {
	t.Parallel()
	d := demo(t)
	var asked *http.Request
	site := httptest.NewServer(nil)
	defer site.Close()
	id, redirect := site.URL+"/client.json", site.URL+"/cb"
	site.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(map[string]any{"client_id": id, "client_name": "By document", "redirect_uris": []string{redirect}})
		fmt.Fprintf(w, "%s", text)
	})
	verifier, challenge := pkce()
	r := send(t, newClient(), request(t, "GET", d.base+d.toTheApp(id, redirect, "code_challenge", challenge), nil))
	back, err := url.Parse(r.Header.Get("Location"))
	must(t, err)
	if asked == nil || asked.Header.Get("Cookie") != "" || !strings.HasPrefix(r.Header.Get("Location"), redirect+"?code=") {
		t.Fatalf("asked %v; %d, sent to %q", asked, r.Status, r.Header.Get("Location"))
	}
	tokens := granted(t, d.post(t, "/oauth2/token", url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "code_verifier": {verifier}}))
	if r := d.info(t, tokens.access); r.Status != http.StatusOK {
		t.Errorf("its token: %d", r.Status)
	}
	site.Close() // C44: gone, and still connected
	granted(t, d.post(t, "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.refresh}, "client_id": {id}}))
}
