// Command handoff is an example of a site that tells Symbolon who its visitor is, as
// docs/handoff.md explains. Copy Handoff into your own site, and give it your own
// visitor.
//
//	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out handoff.pem
//	handoff -key handoff.pem -jwks > handoff-jwks.json
//	handoff -key handoff.pem -listen 127.0.0.1:8090 -symbolon http://127.0.0.1:8080
package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func main() {
	path := flag.String("key", "handoff.pem", "private key, PEM")
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	symbolon := flag.String("symbolon", "http://127.0.0.1:8080", "base URL of Symbolon")
	publish := flag.Bool("jwks", false, "print the public key as a JWK Set, and end")
	flag.Parse()
	key, err := readKey(*path)
	if err != nil {
		log.Fatal(err)
	}
	if *publish {
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Algorithm: "ES256", Use: "sig"}}}
		if err := json.NewEncoder(os.Stdout).Encode(set); err != nil {
			log.Fatal(err)
		}
		return
	}
	site := &Site{Issuer: "http://" + *listen, Symbolon: *symbolon, Key: key, Visitor: visitor}
	http.HandleFunc("GET /handoff", site.Handoff)
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// visitor stands for your own sessions: who is signed in in this browser.
func visitor(*http.Request) (Visitor, bool) {
	return Visitor{ID: "4711", Name: "Ada Example", Email: "ada@example.com", EmailVerified: true, SignedIn: time.Now()}, true
}

// keyID tells keys apart, for when you have a new one.
const keyID = "2026-11"

// Visitor is who is signed in at the site.
type Visitor struct {
	ID            string // never given to another person
	Name          string
	Email         string
	EmailVerified bool
	SignedIn      time.Time
}

// Site signs who its visitors are.
type Site struct {
	Issuer   string // of this site: the issuer in Symbolon's [handoff]
	Symbolon string // base URL of Symbolon
	Key      *ecdsa.PrivateKey
	Visitor  func(*http.Request) (Visitor, bool)
}

// Handoff is the page that Symbolon sends people to: the url in its [handoff].
func (s *Site) Handoff(w http.ResponseWriter, r *http.Request) {
	who, ok := s.Visitor(r)
	if !ok {
		// Your own sign-in page, and then here again with the same query. Do so as well
		// when prompt=login, or when max_age says that the sign-in is too old.
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	// return_to is for you to compare. Never send a statement to where a stranger's link
	// says.
	back := s.Symbolon + "/sign-in/handoff"
	challenge := r.URL.Query().Get("handoff")
	if challenge == "" || r.URL.Query().Get("return_to") != back {
		http.Error(w, "this link is not from our sign-in page", http.StatusBadRequest)
		return
	}
	token, err := s.sign(&who, challenge)
	if err != nil {
		http.Error(w, "cannot sign", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]string{"Back": back, "Token": token, "Name": who.Name})
}

// sign states, for a minute, who is at the browser that has the challenge.
func (s *Site) sign(who *Visitor, challenge string) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": s.Issuer, "aud": s.Symbolon, "sub": who.ID, "nonce": challenge, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "auth_time": who.SignedIn.Unix(),
		"name": who.Name, "email": who.Email, "email_verified": who.EmailVerified,
	})
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.Key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("handoff+jwt"))
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// page takes the statement back by a form, so that it is in no address.
var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Continue</title>
<form method="post" action="{{.Back}}">
<input type="hidden" name="token" value="{{.Token}}">
<button>Continue as {{.Name}}</button>
</form>
<script>document.forms[0].submit()</script>
</html>
`))

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New(path + " is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an EC key", path)
	}
	return ec, nil
}
