package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

const (
	tokenURL = "https://as.test/oauth2/token"
	infoURL  = "https://as.test/info"
)

// proofOf are the claims of a good proof for a request.
func (w *world) proofOf(method, url string) claimsOf {
	return claimsOf{"jti": rand.Text(), "htm": method, "htu": url, "iat": w.clock.Now().Unix()}
}

// athOf is the claim ath for a token.
func athOf(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// proves makes a proof of the key.
func (k keyPair) proves(t rapid.TB, claims claimsOf) string {
	t.Helper()
	return k.sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "kid": nil, "jwk": jose.JSONWebKey{Key: k.public}}, claims)
}

// proven asks for tokens with a DPoP proof of a key.
func (w *world) proven(k keyPair, req *TokenRequest) (*TokenResponse, error) {
	req.Standard = true
	req.Proof = Proof{Method: "POST", URL: tokenURL, DPoP: []string{k.proves(w.TB, w.proofOf("POST", tokenURL))}}
	return w.Token(w.ctx, req)
}

func (w *world) codeRequest(app *symbolon.App, code string) *TokenRequest {
	return w.tokenRequest(app, []string{"grant_type=authorization_code", "code=" + code, "redirect_uri=" + app.RedirectURIs[0], "code_verifier=" + verifier}, nil)
}

func (w *world) refreshRequest(app *symbolon.App, token string) *TokenRequest {
	return w.tokenRequest(app, []string{"grant_type=refresh_token", "refresh_token=" + token}, nil)
}

// show shows a token at step 4 with a proof that is changed.
func (w *world) show(k keyPair, token string, changes claimsOf) error {
	claims := w.proofOf("GET", infoURL).with(claimsOf{"ath": athOf(token)}).with(changes)
	_, err := w.Info(w.ctx, Shown{Token: token, DPoP: true, Proof: Proof{Method: "GET", URL: infoURL, DPoP: []string{k.proves(w.TB, claims)}}})
	return err
}

// RFC9449-4.3-1 to RFC9449-4.3-7: what a proof must be.
func TestProof(t *testing.T) {
	w := newWorld(t)
	key := newPair(t, "k", jose.ES256)
	other := newPair(t, "k", jose.ES256)
	now := w.clock.Now().Unix()
	good := func(changes claimsOf) []string {
		return []string{key.proves(t, w.proofOf("POST", tokenURL).with(changes))}
	}
	header := func(changes map[jose.HeaderKey]any) []string {
		h := map[jose.HeaderKey]any{"typ": "dpop+jwt", "kid": nil, "jwk": jose.JSONWebKey{Key: key.public}}
		for n, v := range changes {
			h[n] = v
		}
		return []string{key.sign(t, h, w.proofOf("POST", tokenURL))}
	}
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: key.public})
	private, _ := json.Marshal(jose.JSONWebKey{Key: key.private})
	for _, c := range []struct {
		name string
		dpop []string
		good bool
	}{
		{"RFC9449-4.3-1", good(nil), true},
		{"RFC9449-4.3-1 two headers", append(good(nil), good(nil)...), false},
		{"RFC9449-4.3-1 garbage", []string{"x"}, false},
		{"RFC9449-4.3-1 empty", []string{""}, false},
		{"RFC9449-4.3-1 two in one", []string{good(nil)[0] + ", " + good(nil)[0]}, false},
		{"RFC9449-4.3-1 typ JWT", header(map[jose.HeaderKey]any{"typ": "JWT"}), false},
		{"RFC9449-4.3-1 no typ", header(map[jose.HeaderKey]any{"typ": nil}), false},
		{"RFC9449-4.3-2 no jti", good(claimsOf{"jti": nil}), false},
		{"RFC9449-4.3-2 empty jti", good(claimsOf{"jti": ""}), false},
		{"RFC9449-4.3-2 no htm", good(claimsOf{"htm": nil}), false},
		{"RFC9449-4.3-2 no htu", good(claimsOf{"htu": nil}), false},
		{"RFC9449-4.3-2 no iat", good(claimsOf{"iat": nil}), false},
		{"RFC9449-4.3-2 iat is a string", good(claimsOf{"iat": strconv.FormatInt(now, 10)}), false},
		{"RFC9449-4.3-3 none", []string{part(`{"typ":"dpop+jwt","alg":"none","jwk":`+string(jwk)+`}`) + "." + part(`{}`) + "."}, false},
		{"B55 none", []string{part(`{"typ":"dpop+jwt","alg":"nOnE"}`) + "." + part(`{}`) + "."}, false},
		{"RFC9449-4.3-3 HS256", []string{keyPair{alg: jose.HS256, private: jwk}.sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": json.RawMessage(jwk)}, w.proofOf("POST", tokenURL))}, false},
		{"RFC9449-4.3-3 private", header(map[jose.HeaderKey]any{"jwk": json.RawMessage(private)}), false},
		{"RFC9449-4.3-3 no jwk", header(map[jose.HeaderKey]any{"jwk": nil}), false},
		{"RFC9449-4.3-3 another jwk", header(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.public}}), false},
		{"RFC9449-4.3-3 a jwk of another kind", header(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: theRSA().Public()}}), false},
		{"RFC9449-4.3-4 PUT", good(claimsOf{"htm": "PUT"}), false},
		{"RFC9449-4.3-4 post", good(claimsOf{"htm": "post"}), false},
		{"RFC9449-4.3-4 upper case and port", good(claimsOf{"htu": "HTTPS://AS.test:443/oauth2/token"}), true},
		{"RFC9449-4.3-4 a query", good(claimsOf{"htu": tokenURL + "?x=1#y"}), true},
		{"RFC9449-4.3-4 escaped", good(claimsOf{"htu": "https://as.test/%6fauth2/token"}), true},
		{"B65 a slash more", good(claimsOf{"htu": tokenURL + "/"}), false},
		{"B65 two slashes", good(claimsOf{"htu": "https://as.test//oauth2/token"}), false},
		{"B65 no scheme", good(claimsOf{"htu": "//as.test/oauth2/token"}), false},
		{"B65 userinfo", good(claimsOf{"htu": "https://as.test@evil.test/oauth2/token"}), false},
		{"B65 userinfo before us", good(claimsOf{"htu": "https://x@as.test/oauth2/token"}), false},
		{"B65 dots", good(claimsOf{"htu": "https://as.test/x/../oauth2/token"}), false},
		{"B65 an escaped slash", good(claimsOf{"htu": "https://as.test/oauth2%2Ftoken"}), false},
		{"B65 another port", good(claimsOf{"htu": "https://as.test:444/oauth2/token"}), false},
		{"B65 http", good(claimsOf{"htu": "http://as.test/oauth2/token"}), false},
		{"B65 http on 443", good(claimsOf{"htu": "http://as.test:443/oauth2/token"}), false},
		{"B65 IDN", good(claimsOf{"htu": "https://аs.test/oauth2/token"}), false},
		{"B65 another host", good(claimsOf{"htu": "https://evil.test/oauth2/token"}), false},
		{"RFC9449-4.3-5 10 s ago", good(claimsOf{"iat": now - 10}), true},
		{"RFC9449-4.3-5 10 s ahead", good(claimsOf{"iat": now + 10}), true},
		{"RFC9449-4.3-5 a minute ago", good(claimsOf{"iat": now - 60}), false},
		{"RFC9449-4.3-5 an hour ago", good(claimsOf{"iat": now - 3600}), false},
		{"B64 an hour ahead", good(claimsOf{"iat": now + 3600}), false},
		{"B101 beyond all dates", good(claimsOf{"iat": 1e18}), false},
		{"RFC9449-4.3-6 further claims, exp and nbf", good(claimsOf{"foo": []int{1}, "exp": now - 1, "nbf": now + 1}), true},
		{"RFC9449-4.3-6 further headers", header(map[jose.HeaderKey]any{"foo": "bar"}), true},
		{"B58 an assertion", []string{key.sign(t, map[jose.HeaderKey]any{"typ": "client-authentication+jwt", "jwk": jose.JSONWebKey{Key: key.public}}, w.proofOf("POST", tokenURL))}, false},
		{"EdDSA", []string{newPair(t, "", jose.EdDSA).proves(t, w.proofOf("POST", tokenURL))}, true},
		{"PS256", []string{newPair(t, "", jose.PS256).proves(t, w.proofOf("POST", tokenURL))}, true},
	} {
		w.run(c.name, func(t *testing.T) {
			req := w.refreshRequest(&w.C1, w.connected(&w.C1).RefreshToken)
			req.Standard, req.Proof = true, Proof{Method: "POST", URL: tokenURL, DPoP: c.dpop}
			answer, err := w.Token(w.ctx, req)
			if !c.good {
				w.refused(err, InvalidDPoPProof)
				return
			}
			w.ok(err)
			// RFC9449-5-a.
			if answer.TokenType != "DPoP" || answer.Grant.Binding.Kind != symbolon.BoundByDPoP {
				t.Errorf("%+v", answer)
			}
		})
	}
	// RFC9449-4.3-7: what counts is the URL of the issuer.
	if _, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: "https://as.test/oauth2/token", DPoP: good(claimsOf{"htu": "http://127.0.0.1:8080/oauth2/token"})}, "", w.clock.Now()); err == nil {
		t.Error("the address behind the proxy counts")
	}
}

// RFC9449-11.1-a, B64: once, and another request, key or method is another proof.
func TestProofReplay(t *testing.T) {
	w := newWorld(t)
	key, other := newPair(t, "k", jose.ES256), newPair(t, "k", jose.ES256)
	claims := w.proofOf("POST", tokenURL)
	check := func(k keyPair, method, url string, c claimsOf) error {
		_, err := w.checkProof(w.ctx, "", &Proof{Method: method, URL: url, DPoP: []string{k.proves(t, c)}}, "", w.clock.Now())
		return err
	}
	w.ok(check(key, "POST", tokenURL, claims))
	w.refused(check(key, "POST", tokenURL, claims), InvalidDPoPProof)
	w.refused(check(key, "POST", tokenURL, claims.with(claimsOf{"htu": "https://AS.test:443/oauth2/token?x"})), InvalidDPoPProof)
	w.ok(check(other, "POST", tokenURL, claims))
	w.ok(check(key, "GET", infoURL, claims.with(claimsOf{"htm": "GET", "htu": infoURL})))
	// To the end of its time, however far ahead its clock was.
	ahead := w.proofOf("POST", tokenURL).with(claimsOf{"iat": w.clock.Now().Unix() + 59})
	w.ok(check(key, "POST", tokenURL, ahead))
	for range 130 {
		w.clock.pass(time.Second)
		w.refused(check(key, "POST", tokenURL, ahead), InvalidDPoPProof)
	}
	// Of many at once, one.
	proof := key.proves(t, w.proofOf("POST", tokenURL))
	var won atomic.Int32
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{proof}}, "", w.clock.Now()); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 32 were taken", won.Load())
	}
}

// RFC9449-11.1-a: and once on all the nodes of one store; a store that is away is no
// reason to take a proof.
func TestProofReplayAtAnotherNode(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Shared = true })
	key := newPair(t, "k", jose.ES256)
	nodes := []*Engine{w.Engine, New(w.cfg, w.store, w.ring, w.clock, w.feed)}
	take := func(n int, proof string) error {
		_, err := nodes[n].checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{proof}}, "", w.clock.Now())
		return err
	}
	proof := key.proves(t, w.proofOf("POST", tokenURL))
	w.ok(take(0, proof))
	w.refused(take(1, proof), InvalidDPoPProof)
	ahead := key.proves(t, w.proofOf("POST", tokenURL).with(claimsOf{"iat": w.clock.Now().Unix() + 59}))
	w.ok(take(1, ahead))
	for range 130 {
		w.clock.pass(time.Second)
		w.refused(take(0, ahead), InvalidDPoPProof)
	}
	w.store.Plan(func(verb string) storetest.Fault { return storetest.Lost })
	w.refused(take(0, key.proves(t, w.proofOf("POST", tokenURL))), Unavailable)
}

// What is remembered is bounded, and nothing that counts is forgotten for it.
func TestProofsAreBounded(t *testing.T) {
	p := new(proofs)
	now := time.UnixMilli(1_790_000_000_000)
	key := func(i int) (k [32]byte) { // all in one shard
		copy(k[1:], strconv.Itoa(i))
		return k
	}
	for i := range proofsKept {
		if p.spend(key(i), now.Add(time.Minute), now) != proofFresh {
			t.Fatalf("the %dth is not taken", i)
		}
	}
	if p.spend(key(-1), now.Add(time.Minute), now) != proofsFull || p.spend(key(7), now.Add(time.Minute), now) != proofUsed {
		t.Error("a full shard takes more, or forgets")
	}
	now = now.Add(time.Minute)
	if p.spend(key(-1), now.Add(time.Minute), now) != proofFresh {
		t.Error("what is over is not forgotten")
	}
	if n := len(p[0].used); n > proofsKept {
		t.Errorf("%d are kept", n)
	}
	for i := range 100_000 {
		now = now.Add(time.Millisecond)
		p.spend(key(proofsKept+i), now.Add(time.Second), now)
	}
	if n := len(p[0].used); n > 5000 {
		t.Errorf("%d are kept where a thousand count", n)
	}
}

// RFC9449-7.1-a, RFC9449-4.3-2: a bound token is shown with a proof of its key, for
// that token.
func TestBoundToken(t *testing.T) {
	w := newWorld(t)
	key, other := newPair(t, "k", jose.ES256), newPair(t, "k", jose.ES256)
	bound, err := w.proven(key, w.codeRequest(&w.C1, w.code(&w.C1)))
	w.ok(err)
	token := bound.AccessToken
	w.ok(w.show(key, token, nil))
	_, err = w.Info(w.ctx, Bearer(token))
	if e := w.refused(err, InvalidToken); !e.Shown || !e.DPoP {
		t.Errorf("not challenged for DPoP: %+v", e)
	}
	_, err = w.Invalidate(w.ctx, Bearer(token))
	w.refused(err, InvalidToken)
	w.refused(w.show(other, token, nil), InvalidToken)
	w.refused(w.show(key, token, claimsOf{"ath": nil}), InvalidDPoPProof)
	w.refused(w.show(key, token, claimsOf{"ath": athOf("another")}), InvalidDPoPProof)
	w.refused(w.show(key, token, claimsOf{"htm": "POST"}), InvalidDPoPProof)
	w.refused(w.show(key, token, claimsOf{"htu": tokenURL}), InvalidDPoPProof)
	_, err = w.Info(w.ctx, Shown{Token: token, DPoP: true, Proof: Proof{Method: "GET", URL: infoURL}})
	w.refused(err, InvalidDPoPProof)
	// A token that is bound to nothing is no DPoP token.
	w.refused(w.show(key, w.connected(&w.C1).AccessToken, nil), InvalidToken)
	// Step 6.
	claims := w.proofOf("POST", "https://as.test/invalidate").with(claimsOf{"ath": athOf(token)})
	_, err = w.Invalidate(w.ctx, Shown{Token: token, DPoP: true, Proof: Proof{Method: "POST", URL: "https://as.test/invalidate", DPoP: []string{key.proves(t, claims)}}})
	w.ok(err)
	w.refused(w.show(key, token, nil), InvalidToken)
}

// RFC9449-5-rt, K8: the refresh token of a public app is bound to its key, that of
// another is not. RFC9449-5.2-a: who may have bound tokens only gets no other.
func TestBoundRefresh(t *testing.T) {
	w := newWorld(t)
	key, other := newPair(t, "k", jose.ES256), newPair(t, "k", jose.ES256)
	t.Run("RFC9449-5-rt", func(t *testing.T) {
		public, err := w.proven(key, w.codeRequest(&w.P1, w.code(&w.P1)))
		w.ok(err)
		_, err = w.proven(other, w.refreshRequest(&w.P1, public.RefreshToken))
		w.refused(err, InvalidGrant)
		_, err = w.refresh(&w.P1, public.RefreshToken)
		w.refused(err, InvalidGrant)
		// Neither has spent it.
		next, err := w.proven(key, w.refreshRequest(&w.P1, public.RefreshToken))
		w.ok(err)
		_, err = w.proven(other, w.refreshRequest(&w.P1, next.RefreshToken))
		w.refused(err, InvalidGrant)
	})
	t.Run("K8", func(t *testing.T) {
		confidential, err := w.proven(key, w.codeRequest(&w.C1, w.code(&w.C1)))
		w.ok(err)
		next, err := w.proven(other, w.refreshRequest(&w.C1, confidential.RefreshToken))
		w.ok(err)
		w.ok(w.show(other, next.AccessToken, nil))
		w.refused(w.show(key, next.AccessToken, nil), InvalidToken)
	})
	t.Run("RFC9449-5.2-a", func(t *testing.T) {
		refresh := w.connected(&w.C1).RefreshToken
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.BoundTokens = true })
		_, err := w.refresh(&w.C1, refresh)
		w.refused(err, InvalidRequest)
		code := w.code(&w.C1)
		_, err = w.redeem(&w.C1, code)
		w.refused(err, InvalidRequest)
		bound, err := w.proven(key, w.codeRequest(&w.C1, code))
		w.ok(err)
		w.ok(w.show(key, bound.AccessToken, nil))
	})
}

// RFC9449-8-a: stateless nonces.
func TestNonce(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RequireDPoPNonce = true })
	key := newPair(t, "k", jose.ES256)
	try := func(changes claimsOf) error {
		_, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{key.proves(t, w.proofOf("POST", tokenURL).with(changes))}}, "", w.clock.Now())
		return err
	}
	fresh := func() string {
		n, err := w.Nonce()
		w.ok(err)
		return n
	}
	w.refused(try(nil), UseDPoPNonce)
	w.refused(try(claimsOf{"nonce": "x"}), UseDPoPNonce)
	first := fresh()
	w.ok(try(claimsOf{"nonce": first}))
	if fresh() != first {
		t.Error("the nonce changes within its slot")
	}
	// It vouches for the time, whatever clock the app has.
	w.ok(try(claimsOf{"nonce": first, "iat": w.clock.Now().Unix() - 86400}))
	w.ok(try(claimsOf{"nonce": first, "iat": w.clock.Now().Unix() + 86400}))
	// The one before counts, also after a restart; one more slot and it is over.
	w.clock.pass(nonceSlot)
	w.start()
	w.ok(try(claimsOf{"nonce": first}))
	second := fresh()
	if second == first {
		t.Error("the nonce never changes")
	}
	w.clock.pass(nonceSlot)
	w.refused(try(claimsOf{"nonce": first}), UseDPoPNonce)
	w.ok(try(claimsOf{"nonce": second}))
	// A value of ours of another kind is none.
	w.refused(try(claimsOf{"nonce": w.code(&w.C1)}), UseDPoPNonce)

	// A proof is remembered for as long as its nonce is taken.
	third := fresh()
	claims := w.proofOf("POST", tokenURL).with(claimsOf{"nonce": third})
	w.ok(try(claims))
	for range 5 {
		w.refused(try(claims), InvalidDPoPProof)
		w.clock.pass(nonceSlot / 5)
	}
	w.refused(try(claims), InvalidDPoPProof)

	// Where none is required, a wrong one is refused all the same.
	w.cfg.RequireDPoPNonce = false
	w.start()
	w.ok(try(nil))
	w.refused(try(claimsOf{"nonce": "x"}), UseDPoPNonce)
	w.refused(try(claimsOf{"nonce": first}), UseDPoPNonce)
}

func FuzzProof(f *testing.F) {
	w := newWorld(f)
	key := newPair(f, "k", jose.ES256)
	f.Add(key.proves(f, w.proofOf("POST", tokenURL)), tokenURL)
	f.Add("eyJhbGciOiJub25lIn0.e30.", "https://AS.test:443/%6Fauth2/token?x#y")
	f.Fuzz(func(t *testing.T, text, url string) {
		_, err := w.checkProof(w.ctx, "", &Proof{Method: "POST", URL: tokenURL, DPoP: []string{text}}, "", w.clock.Now())
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Refusal != InvalidDPoPProof && e.Refusal != UseDPoPNonce) {
			t.Fatalf("%v", err)
		}
		if got, ok := normalURL(url); ok {
			if again, ok := normalURL(got); !ok || again != got {
				t.Fatalf("%q is normal as %q, and that as %q", url, got, again)
			}
			if strings.ContainsAny(got, "?#@") && !strings.Contains(url, "@") {
				t.Fatalf("%q is normal as %q", url, got)
			}
		}
	})
}
