// Command first-app is the smallest app that connects to an account at Symbolon, as
// docs/first-connection.md walks it. Begin your own from it.
//
//	go run ./docs/first-app -id sym_app_… -secret sym_secret_…
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
)

func main() {
	symbolon := flag.String("symbolon", "http://127.0.0.1:8080", "base URL of Symbolon")
	id := flag.String("id", "", "client_id")
	secret := flag.String("secret", "", "client_secret")
	listen := flag.String("listen", "127.0.0.1:8093", "address of this app")
	flag.Parse()
	a := &app{symbolon: *symbolon, id: *id, secret: *secret, here: "http://" + *listen}
	fmt.Println("Open " + a.here)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.start)
	mux.HandleFunc("GET /callback", a.callback)
	log.Fatal(http.ListenAndServe(*listen, mux))
}

type app struct{ symbolon, id, secret, here string }

// start is step 1: it sends the person to Symbolon. The state ties the answer to this
// browser, and the verifier the code to this app (RFC 7636).
func (a *app) start(w http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	for name, value := range map[string]string{"state": state, "verifier": verifier} {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	challenge := sha256.Sum256([]byte(verifier))
	http.Redirect(w, r, a.symbolon+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.here + "/callback"}, "scope": {"connect"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusFound)
}

// callback is steps 2 to 4: it takes the code, trades it for tokens, and asks whose
// account it is.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if problem := r.FormValue("error"); problem != "" {
		fmt.Fprintln(w, "Not connected:", problem, r.FormValue("error_description"))
		return
	}
	state, err := r.Cookie("state")
	if err != nil || state.Value != r.FormValue("state") {
		http.Error(w, "This answer is not for this browser.", http.StatusBadRequest)
		return
	}
	verifier, err := r.Cookie("verifier")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	resp, err := http.PostForm(a.symbolon+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "redirect_uri": {a.here + "/callback"},
		"client_id": {a.id}, "client_secret": {a.secret}, "code_verifier": {verifier.Value},
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
		RequestID   string `json:"request_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		fmt.Fprintf(w, "No token: %s: %s\nAsk %s/console/request?id=%s why.\n", tokens.Error, tokens.Description, a.symbolon, tokens.RequestID)
		return
	}
	req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, a.symbolon+"/info", nil)
	req.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	info, err := http.DefaultClient.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer info.Body.Close()
	fmt.Fprint(w, "Connected to the account of: ")
	_, _ = io.Copy(w, io.LimitReader(info.Body, 1<<10))
	fmt.Fprintln(w)
}
