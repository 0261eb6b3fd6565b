//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The standard surface: client credentials, introspection, JWT access tokens
// made and checked, and proofs of possession checked. The query in some of the
// paths means nothing to the server; it tells the bare handler which answer to
// give.
const (
	pathCredentials = "/oauth2/token?credentials"
	pathIntrospect  = "/oauth2/introspect"
	pathIssueJWT    = "/oauth2/token?jwt"
	pathCheckJWT    = "/info?jwt"
	pathBind        = "/oauth2/token?dpop"
	pathProve       = "/info?dpop"
)

// addJWTApp registers a second app whose access tokens are JWTs, in the data
// directory of a running demo, and returns what its requests are made of.
func addJWTApp(program, data, host string) (greeting, error) {
	var g greeting
	out, err := exec.Command(program, "app", "create", "--data", data, "--name", "JWT", "--redirect-uri", jwtRedirect,
		"--token-format", "jwt", "--json").Output()
	if err != nil {
		return g, fmt.Errorf("register an app: %w", err)
	}
	if err := json.Unmarshal(out, &g); err != nil {
		return g, err
	}
	g.BaseURL, g.RedirectURIs = "http://"+host, []string{jwtRedirect}
	return g, nil
}

const jwtRedirect = "https://jwt.example/cb"

// standardCaller makes the requests of the standard surface.
type standardCaller struct {
	*caller         // the sandbox app
	jwt     *caller // the app whose tokens are JWTs
	base    string  // the issuer
	// credentials are the forms of client credentials, ask that of introspection
	// up to the token.
	credentials, jwtCredentials, ask []byte
}

func newStandardCaller(host string, c *caller, g, second greeting) *standardCaller {
	form := func(g greeting, grant string) []byte {
		return []byte(grant + "client_id=" + url.QueryEscape(g.ClientID) + "&client_secret=" + url.QueryEscape(g.ClientSecret))
	}
	return &standardCaller{
		caller: c, base: "http://" + host,
		jwt:            newCaller(host, second.ClientID, second.ClientSecret, jwtRedirect),
		credentials:    form(g, "grant_type=client_credentials&scope=connect&"),
		jwtCredentials: form(second, "grant_type=client_credentials&scope=connect&"),
		ask:            append(form(g, ""), "&token="...),
	}
}

// withHeaders puts header lines behind the first line of a request.
func withHeaders(request []byte, path string, lines ...string) []byte {
	head, rest, _ := bytes.Cut(request, []byte("\r\n"))
	method, _, _ := bytes.Cut(head, []byte(" "))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	b.Write(rest)
	return b.Bytes()
}

// sampleStandard asks each path of the standard surface once.
func (s *standardCaller) sample(ask func(path string, request []byte) (answer, error)) error {
	a, err := ask(pathCredentials, s.appendPost(nil, pathCredentials, s.credentials, nil))
	if err != nil {
		return err
	}
	token, err := field(a.body, `"access_token"`)
	if err != nil {
		return err
	}
	if _, err := ask(pathIntrospect, s.appendPost(nil, pathIntrospect, s.ask, token)); err != nil {
		return err
	}
	if _, err := ask(pathIssueJWT, s.appendPost(nil, pathIssueJWT, s.jwtCredentials, nil)); err != nil {
		return err
	}
	request, err := s.checkJWT(ask)
	if err != nil {
		return err
	}
	if _, err := ask(pathCheckJWT, request); err != nil {
		return err
	}
	bound, key, err := s.bind(ask)
	if err != nil {
		return err
	}
	proof, err := key.proof("GET", s.base+"/info", bound)
	if err != nil {
		return err
	}
	_, err = ask(pathProve, s.prove(bound, proof))
	return err
}

// plain asks without keeping the answer for the bare handler.
func plain(addr string) func(string, []byte) (answer, error) {
	return func(path string, request []byte) (answer, error) {
		a, err := exchange(addr, request)
		if err == nil {
			err = want200(path, &a)
		}
		return a, err
	}
}

// checkJWT returns a request that shows a JWT, which it gets first.
func (s *standardCaller) checkJWT(ask func(string, []byte) (answer, error)) ([]byte, error) {
	a, err := ask("/authorize", s.jwt.authorize)
	if err != nil {
		return nil, err
	}
	code, err := field(a.body, `"code"`)
	if err != nil {
		return nil, err
	}
	if a, err = ask("/token", s.jwt.appendToken(nil, code)); err != nil {
		return nil, err
	}
	token, err := field(a.body, `"access_token"`)
	if err != nil {
		return nil, err
	}
	return withHeaders(s.appendInfo(nil, token), pathCheckJWT), nil
}

// bind gets a token that is bound to a new key.
func (s *standardCaller) bind(ask func(string, []byte) (answer, error)) ([]byte, *holder, error) {
	key, err := newHolder()
	if err != nil {
		return nil, nil, err
	}
	a, err := ask("/authorize", s.authorize)
	if err != nil {
		return nil, nil, err
	}
	code, err := field(a.body, `"code"`)
	if err != nil {
		return nil, nil, err
	}
	proof, err := key.proof("POST", s.base+"/oauth2/token", nil)
	if err != nil {
		return nil, nil, err
	}
	request := withHeaders(s.appendPost(nil, pathBind, s.token, code), pathBind, "DPoP: "+proof)
	if a, err = ask(pathBind, request); err != nil {
		return nil, nil, err
	}
	token, err := field(a.body, `"access_token"`)
	return bytes.Clone(token), key, err
}

// prove is GET /info with a bound token and a proof.
func (s *standardCaller) prove(token []byte, proof string) []byte {
	request := withHeaders(s.appendInfo(nil, token), pathProve, "DPoP: "+proof)
	return bytes.Replace(request, []byte("Authorization: Bearer "), []byte("Authorization: DPoP "), 1)
}

// holder is a key that tokens are bound to (RFC 9449).
type holder struct {
	signer jose.Signer
	n      uint64
}

func newHolder() (*holder, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	return &holder{signer: signer}, err
}

// proof makes a proof for one request, about a token unless that is empty.
func (h *holder) proof(method, target string, token []byte) (string, error) {
	h.n++
	claims := `{"jti":"symbolon-bench-` + strconv.FormatUint(h.n, 36) + `","htm":"` + method + `","htu":"` + target +
		`","iat":` + strconv.FormatInt(time.Now().Unix(), 10)
	if len(token) > 0 {
		sum := sha256.Sum256(token)
		claims += `,"ath":"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
	}
	signed, err := h.signer.Sign([]byte(claims + "}"))
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// repeat sends requests that were made before, in turn, and wants a field in
// each answer.
type repeat struct {
	what     string
	requests [][]byte
	want     string
	next     int
}

func (r *repeat) request() []byte {
	request := r.requests[r.next]
	r.next = (r.next + 1) % len(r.requests)
	return request
}

func (r *repeat) answer(a *answer) (bool, error) {
	if err := want200(r.what, a); err != nil {
		return false, err
	}
	if !bytes.Contains(a.body, []byte(r.want)) {
		return false, fmt.Errorf("%s: no %s in %.300s", r.what, r.want, a.body)
	}
	return true, nil
}

// proofs is how many requests with a proof each connection has ready: more than
// it can send in that time, since none is good twice. No server of two cores
// checks 20,000 a second.
func (b *bench) proofs() int {
	return 100 + int(20_000*(b.Warm+b.Time).Seconds())/b.Connections
}

// standardTalks makes what each connection says in a scenario of the standard
// surface.
func (b *bench) standardTalks(name string) func(target) ([]talk, error) {
	return func(t target) ([]talk, error) {
		s := t.node(0).standard
		ask := plain(t.node(0).addr)
		talks := make([]talk, b.Connections)
		failed := make([]error, b.Connections)
		var all sync.WaitGroup
		for i := range talks {
			r := &repeat{what: name, want: `"access_token"`}
			talks[i] = r
			switch name {
			case "credentials":
				r.requests = [][]byte{s.appendPost(nil, pathCredentials, s.credentials, nil)}
			case "jwt-issue":
				r.requests = [][]byte{s.appendPost(nil, pathIssueJWT, s.jwtCredentials, nil)}
			case "introspect":
				r.want = `"active":true`
				a, err := ask(pathCredentials, s.appendPost(nil, pathCredentials, s.credentials, nil))
				if err != nil {
					return nil, err
				}
				token, err := field(a.body, `"access_token"`)
				if err != nil {
					return nil, err
				}
				r.requests = [][]byte{s.appendPost(nil, pathIntrospect, s.ask, token)}
			case "jwt-check":
				r.want = `"id"`
				request, err := s.checkJWT(ask)
				if err != nil {
					return nil, err
				}
				r.requests = [][]byte{request}
			case "dpop":
				r.want = `"id"`
				all.Go(func() { r.requests, failed[i] = s.provenRequests(ask, b.proofs()) })
			}
		}
		all.Wait()
		for _, err := range failed {
			if err != nil {
				return nil, err
			}
		}
		return talks, nil
	}
}

func (s *standardCaller) provenRequests(ask func(string, []byte) (answer, error), n int) ([][]byte, error) {
	token, key, err := s.bind(ask)
	if err != nil {
		return nil, err
	}
	list := make([][]byte, n)
	for i := range list {
		proof, err := key.proof("GET", s.base+"/info", token)
		if err != nil {
			return nil, err
		}
		list[i] = s.prove(token, proof)
	}
	return list, nil
}
