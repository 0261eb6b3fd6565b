package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
)

// certify makes a certificate for a key, signed by an authority or by itself.
func (w *world) certify(key keyPair, by *x509.Certificate, byKey crypto.Signer, change ...func(*x509.Certificate)) *x509.Certificate {
	w.Helper()
	now := w.clock.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		Subject:     pkix.Name{CommonName: "app", Organization: []string{"Example, Inc."}, Country: []string{"CZ"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
	}
	if by == nil {
		by, byKey = template, key.private.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.public, byKey)
	w.ok(err)
	c, err := x509.ParseCertificate(der)
	w.ok(err)
	return c
}

func (w *world) authority() (*x509.Certificate, crypto.Signer) {
	w.Helper()
	key := newPair(w, "", jose.ES256)
	c := w.certify(key, nil, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		c.Subject = pkix.Name{CommonName: "Authority"}
	})
	return c, key.private.(crypto.Signer)
}

// shows asks for a token in the app's own name, showing a certificate.
func (w *world) shows(app *symbolon.App, c *Certificate, changes ...string) (*TokenResponse, error) {
	w.Helper()
	req := w.tokenRequest(app, []string{"grant_type=client_credentials"}, append([]string{"-client_secret"}, changes...))
	req.Standard, req.Credentials.Certificate, req.Proof.Certificate = true, c, c
	return w.Token(w.ctx, req)
}

func (w *world) newTLS(method symbolon.AuthMethod, change func(*symbolon.Settings)) symbolon.App {
	w.Helper()
	app, _ := w.newJ1(func(a *symbolon.App) {
		a.Settings.Auth, a.Settings.Keys = method, ""
		change(&a.Settings)
	})
	return app
}

// RFC8705-2: self-signed, by its key.
func TestSelfSignedCertificate(t *testing.T) {
	w := newWorld(t)
	key, strange := newPair(t, "k", jose.ES256), newPair(t, "k", jose.ES256)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	w.ok(err)
	large := keyPair{kid: "l", private: p384, public: p384.Public()}
	app := w.newTLS(symbolon.AuthSelfSignedTLS, func(s *symbolon.Settings) { s.Keys = set(t, key, large) })
	for _, c := range []struct {
		name string
		cert *Certificate
		want Refusal
	}{
		{"its key", &Certificate{Certificate: w.certify(key, nil, nil)}, 0},
		{"another certificate for its key", &Certificate{Certificate: w.certify(key, nil, nil, func(c *x509.Certificate) { c.Subject.CommonName = "x" })}, 0},
		{"a key of another curve", &Certificate{Certificate: w.certify(large, nil, nil)}, 0},
		{"another key", &Certificate{Certificate: w.certify(strange, nil, nil)}, InvalidClient},
		{"none", nil, InvalidClient},
	} {
		w.run("RFC8705-2 "+c.name, func(t *testing.T) {
			answer, err := w.shows(&app, c.cert)
			if c.want != 0 {
				w.refused(err, c.want)
				return
			}
			w.ok(err)
			if answer.Grant.Binding.Kind != symbolon.Unbound {
				t.Error("the token is bound though the app does not want it")
			}
		})
	}
	_, err = w.shows(&app, &Certificate{Certificate: w.certify(key, nil, nil)}, "client_secret=x")
	w.refused(err, InvalidClient)
}

// RFC8705-2: keys at an address, and a new certificate that is published there.
func TestSelfSignedKeysURI(t *testing.T) {
	keys := ""
	w := newWorld(t, func(c *Config) {
		c.Fetch = func(context.Context, string) ([]byte, time.Duration, error) { return []byte(keys), time.Hour, nil }
	})
	one, two := newPair(t, "k1", jose.ES256), newPair(t, "k2", jose.ES256)
	app := w.newTLS(symbolon.AuthSelfSignedTLS, func(s *symbolon.Settings) { s.KeysURI = "https://j1.test/jwks" })
	keys = set(t, one)
	_, err := w.shows(&app, &Certificate{Certificate: w.certify(one, nil, nil)})
	w.ok(err)
	keys = set(t, one, two)
	_, err = w.shows(&app, &Certificate{Certificate: w.certify(two, nil, nil)})
	w.refused(err, InvalidClient)
	w.clock.pass(keysRetry)
	w.ok(w.feed.Poll(w.ctx))
	_, err = w.shows(&app, &Certificate{Certificate: w.certify(two, nil, nil)})
	w.ok(err)
}

// RFC8705-2: by an authority and a subject.
func TestCertificateOfAuthority(t *testing.T) {
	w := newWorld(t)
	ca, caKey := w.authority()
	foreign, foreignKey := w.authority()
	key := newPair(t, "k", jose.ES256)
	app := w.newTLS(symbolon.AuthTLS, func(s *symbolon.Settings) { s.TLSSubject = `dn:CN=app,O=Example\, Inc.,C=CZ` })
	good := w.certify(key, ca, caKey)
	for _, c := range []struct {
		name  string
		pool  bool
		cert  *Certificate
		admit bool
	}{
		{"of the authority", true, &Certificate{Certificate: good}, true},
		{"of another authority", true, &Certificate{Certificate: w.certify(key, foreign, foreignKey)}, false},
		{"of another, with it in the chain", true, &Certificate{Certificate: w.certify(key, foreign, foreignKey), Chain: []*x509.Certificate{foreign}}, false},
		{"self-signed", true, &Certificate{Certificate: w.certify(key, nil, nil)}, false},
		{"expired", true, &Certificate{Certificate: w.certify(key, ca, caKey, func(c *x509.Certificate) { c.NotAfter = w.clock.Now().Add(-time.Minute) })}, false},
		{"for servers", true, &Certificate{Certificate: w.certify(key, ca, caKey, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, false},
		{"of another subject", true, &Certificate{Certificate: w.certify(key, ca, caKey, func(c *x509.Certificate) { c.Subject.CommonName = "other" })}, false},
		{"a pool counts for a proxy, too", true, &Certificate{Certificate: w.certify(key, nil, nil), Forwarded: true}, false},
		{"none", true, nil, false},
		{"no authorities, direct", false, &Certificate{Certificate: good}, false},
		{"no authorities, checked by the proxy", false, &Certificate{Certificate: good, Forwarded: true}, true},
	} {
		w.run("RFC8705-2 "+c.name, func(t *testing.T) {
			w.cfg.ClientCAs = nil
			if c.pool {
				w.cfg.ClientCAs = x509.NewCertPool()
				w.cfg.ClientCAs.AddCert(ca)
			}
			w.start()
			_, err := w.shows(&app, c.cert)
			if !c.admit {
				w.refused(err, InvalidClient)
				return
			}
			w.ok(err)
		})
	}
}

// RFC8705-3: tokens bound to a certificate.
func TestCertificateBoundTokens(t *testing.T) {
	w := newWorld(t)
	key := newPair(t, "k", jose.ES256)
	own, other := &Certificate{Certificate: w.certify(key, nil, nil)}, &Certificate{Certificate: w.certify(key, nil, nil)}
	app := w.newTLS(symbolon.AuthSelfSignedTLS, func(s *symbolon.Settings) { s.Keys, s.TLSTokens = set(t, key), true })
	req := w.codeRequest(&app, w.code(&app))
	req.Standard, req.Credentials.Certificate, req.Proof.Certificate = true, own, own
	answer, err := w.Token(w.ctx, req)
	w.ok(err)
	if answer.TokenType != "Bearer" {
		t.Errorf("token_type %s", answer.TokenType)
	}
	show := func(c *Certificate) error {
		_, err := w.Info(w.ctx, Shown{Token: answer.AccessToken, Proof: Proof{Certificate: c}})
		return err
	}
	w.ok(show(own))
	w.refused(show(nil), InvalidToken)
	w.refused(show(other), InvalidToken)
	_, err = w.Info(w.ctx, Shown{Token: answer.AccessToken, DPoP: true, Proof: Proof{Certificate: own}})
	w.refused(err, InvalidToken)

	// RFC8705-3.4: not to a key of the caller's choice, with the certificate or without.
	for _, c := range []*Certificate{nil, own} {
		req := w.refreshRequest(&app, answer.RefreshToken)
		req.Standard, req.Credentials.Certificate, req.Proof.Certificate = true, own, c
		req.Proof.Method, req.Proof.URL = "POST", tokenURL
		req.Proof.DPoP = []string{key.proves(t, w.proofOf("POST", tokenURL))}
		_, err := w.Token(w.ctx, req)
		w.refused(err, InvalidRequest)
	}

	// A public app, whose refresh token is bound as well (RFC 8705 §4).
	w.edit(w.P1.ID, func(a *symbolon.App) { a.Settings.TLSTokens = true })
	req = w.codeRequest(&w.P1, w.code(&w.P1))
	_, err = w.Token(w.ctx, req)
	w.refused(err, InvalidRequest)
	req.Proof.Certificate = own
	bound, err := w.Token(w.ctx, req)
	w.ok(err)
	req = w.refreshRequest(&w.P1, bound.RefreshToken)
	req.Proof.Certificate = other
	_, err = w.Token(w.ctx, req)
	w.refused(err, InvalidGrant)
	req.Proof.Certificate = own
	_, err = w.Token(w.ctx, req)
	w.ok(err)

	// Bound by whatever there is (bound_tokens).
	w.edit(app.ID, func(a *symbolon.App) { a.Settings.TLSTokens, a.Settings.BoundTokens = false, true })
	fresh := w.app(app.ID)
	again, err := w.shows(&fresh, own)
	w.ok(err)
	if again.Grant.Binding != own.binding() {
		t.Errorf("bound to %+v", again.Grant.Binding)
	}
}

// RFC8705-2.1.2: what a subject means.
func TestMatchSubject(t *testing.T) {
	w := newWorld(t)
	key := newPair(t, "k", jose.ES256)
	uri, err := url.Parse("https://app.example/x")
	w.ok(err)
	c := w.certify(key, nil, nil, func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"app.example", "*.wild.example"}, []string{"app@example.com"}
		c.URIs, c.IPAddresses = []*url.URL{uri}, []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}
	})
	odd := w.certify(key, nil, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: `A+B "C"; <D>=#\ `},
			{Type: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: "ž"},
		}}
	})
	for _, m := range []struct {
		subject string
		cert    *x509.Certificate
		want    bool
	}{
		{`dn:CN=app,O=Example\, Inc.,C=CZ`, c, true},
		{`dn:cn=app, o=Example\2C Inc., c=CZ`, c, true},
		{`dn:2.5.4.3=app,OID.2.5.4.10=Example\, Inc.,2.5.4.6=CZ`, c, true},
		{`dn:CN=#0C03617070,O=#0c0d4578616d706c652c20496e632e,C=#1302435a`, c, false}, // CN is a PrintableString there
		{`dn:C=CZ,O=Example\, Inc.,CN=app`, c, false},
		{`dn:CN=APP,O=Example\, Inc.,C=CZ`, c, false},
		{`dn:CN=app`, c, false},
		{`dn:CN=app,O=Example\, Inc.,C=CZ,C=CZ`, c, false},
		{`dn:CN=app+O=Example\, Inc.,C=CZ`, c, false},
		{`dn:CN=app,O=Example, Inc.,C=CZ`, c, false},
		{`dn:`, c, false},
		{`dn:1.2.3.4=\C5\BE,O=A\+B \"C\"\; \<D\>\=\#\\\ `, odd, true},
		{`dn:1.2.3.4=ž,O=A\+B \"C\"\; \<D\>=#\\\ `, odd, true},
		{`dn:1.2.3.4=ž,O=A\+B \"C\"\; \<D\>=#\\`, odd, false},
		{"dns:app.example", c, true},
		{"dns:APP.example", c, true},
		{"dns:example", c, false},
		{"dns:x.wild.example", c, false},
		{"uri:https://app.example/x", c, true},
		{"uri:https://app.example/", c, false},
		{"ip:192.0.2.1", c, true},
		{"ip:::ffff:192.0.2.1", c, true},
		{"ip:2001:0db8:0::1", c, true},
		{"ip:192.0.2.2", c, false},
		{"ip:x", c, false},
		{"email:app@example.com", c, true},
		{"email:App@example.com", c, false},
		{"", c, false},
		{"app.example", c, false},
		{"dns:", c, false},
	} {
		if got := matchSubject(m.subject, m.cert); got != m.want {
			t.Errorf("%q: %v, want %v", m.subject, got, m.want)
		}
	}
	for text, good := range map[string]bool{
		"dn:CN=app": true, "dns:a.example": true, "uri:https://a": true, "ip:192.0.2.1": true, "email:a@b": true,
		"": false, "CN=app": false, "dn:": false, "dn:app": false, "dn:CN=a,": false, `dn:CN=a\`: false, "dn:X=1": false, "ip:1": false, "other:x": false, `dn:CN="a"`: false,
	} {
		if err := CheckTLSSubject(text); (err == nil) != good || err != nil && symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A name that is read is written back to the same name.
func FuzzDN(f *testing.F) {
	f.Add(`CN=app,O=Example\, Inc.+OU=x,C=CZ`)
	f.Add(`1.2.3=\C5\BE,O=#0c03`)
	f.Fuzz(func(t *testing.T, text string) {
		name, ok := parseDN(text)
		if !ok {
			return
		}
		for _, s := range name {
			if len(s) == 0 {
				t.Fatal("a part of nothing")
			}
			for _, a := range s {
				if !dotted(a.oid) {
					t.Fatalf("%q has the type %q", text, a.oid)
				}
			}
		}
	})
}
