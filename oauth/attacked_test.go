package oauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/symbolon/symbolon"
)

// A15: whoever exchanged a token, or was shown one that came of it, does not end
// the connection of the app that it came from.
func TestExchangedTokensEndNothing(t *testing.T) {
	w := newWide(t)
	a := w.redeemed(&w.C1, nil)
	b, err := w.exchange(&w.R1, a.AccessToken)
	w.ok(err)
	_, err = w.Invalidate(w.ctx, Bearer(b.AccessToken))
	w.refused(err, InvalidToken)
	w.alive(a)
	_, err = w.Invalidate(w.ctx, Bearer(a.AccessToken))
	w.ok(err)
	w.dead(a)
	_, err = w.Forward(w.ctx, &ForwardQuery{Shown: Bearer(b.AccessToken)})
	w.refused(err, InvalidToken)
}

// A13, RFC8707-2.2: an API that the owner takes from an app is taken from what it
// gets from then on, whatever was granted, as a scope is.
func TestTakenResources(t *testing.T) {
	w := newWide(t)
	mine := func(uris ...string) {
		t.Helper()
		for _, id := range []symbolon.ClientID{w.C1.ID, w.D1.ID} {
			w.edit(id, func(a *symbolon.App) { a.Settings.Resources = uris })
		}
		w.clock.pass(time.Second)
	}
	asks := []string{"resource=" + r1, "+resource=" + r2}
	one := w.redeemed(&w.C1, asks[:1])
	both := w.redeemed(&w.C1, asks)
	code := w.code(&w.C1, asks[:1]...)
	device := w.allowed(&w.D1, asks[:1]...)

	mine(r2)
	_, err := w.call(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken)
	w.refused(err, InvalidTarget)
	_, err = w.call(&w.C1, "grant_type=authorization_code", "code="+code, "redirect_uri="+uriC1, "code_verifier="+verifier)
	w.refused(err, InvalidTarget)
	_, err = w.poll(&w.D1, device)
	w.refused(err, InvalidTarget)
	left := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+both.RefreshToken)
	if g := left.Grant.Resource; len(g) != 1 || g[0] != r2 {
		t.Errorf("left are %v", g)
	}

	// Nothing was spent by what was refused, and all of it was granted.
	mine()
	w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+one.RefreshToken)
	all := w.called(&w.C1, "grant_type=refresh_token", "refresh_token="+left.RefreshToken)
	if g := all.Grant.Resource; len(g) != 2 {
		t.Errorf("granted were two, and there are %v", g)
	}
}

// A15, RFC8693-5: an exchange brings no token for an API that the caller may not
// ask for, also when it names none.
func TestExchangeForOwnResources(t *testing.T) {
	w := newWide(t)
	a := w.redeemed(&w.C1, []string{"resource=" + r1})
	w.edit(w.R1.ID, func(a *symbolon.App) { a.Settings.Resources = []string{r2} })
	_, err := w.exchange(&w.R1, a.AccessToken)
	w.refused(err, InvalidTarget)
	_, err = w.exchange(&w.R1, a.AccessToken, "audience="+r1)
	w.refused(err, InvalidTarget)
	b, err := w.exchange(&w.R1, a.AccessToken, "audience="+r2)
	w.ok(err)
	if g := b.Grant.Resource; len(g) != 1 || g[0] != r2 {
		t.Errorf("it is for %v", g)
	}
}

// K7, MCP-2025-11-c: anyone can make as many apps with a jwks_uri as they like,
// and none of them takes from the apps that are used what may be fetched, or their
// keys out of memory.
func TestStrangersKeysAreApart(t *testing.T) {
	own := newPair(t, "own", jose.ES256)
	fetched := make(map[string]int)
	w := newRegistry(t, func(c *Config) {
		c.Fetch = func(_ context.Context, url string) ([]byte, time.Duration, error) {
			fetched[url]++
			return []byte(set(t, own)), time.Hour, nil
		}
	})
	ask := func(app *symbolon.App) error {
		w.Helper()
		id := app.ClientID()
		text := own.sign(t, nil, claimsOf{"iss": id, "sub": id, "aud": "https://as.test", "jti": rand.Text(), "exp": w.clock.Now().Add(time.Minute).Unix()})
		p, err := ParseForm("token=x&client_assertion_type=" + AssertionType + "&client_assertion=" + text)
		w.ok(err)
		q := ReadTokenQuery(&p, Credentials{Address: "192.0.2.1"})
		_, err = w.Introspect(w.ctx, &q)
		return err
	}
	w.edit(w.C1.ID, func(a *symbolon.App) {
		a.Settings.Auth, a.Settings.KeysURI, a.Secrets = symbolon.AuthKey, "https://c1.test/jwks", nil
	})
	w.C1 = w.app(w.C1.ID)
	w.ok(ask(&w.C1))
	stranger := func(uri string) *symbolon.App {
		w.Helper()
		info, err := w.Register(w.ctx, []byte(changed(metadataX1, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri})), Registrant{Address: rand.Text()})
		w.ok(err)
		app, err := w.App(w.ctx, symbolon.ClientID(info.ClientID))
		w.ok(err)
		return app
	}
	// One host in many spellings, and many hosts.
	taken := 0
	count := func(uri string) {
		w.Helper()
		if err := ask(stranger(uri)); err == nil {
			taken++
		} else if e := w.refused(err, TooManyRequests); e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Fatalf("Retry-After %v", e.RetryAfter)
		}
	}
	for i := range 20 {
		count(fmt.Sprintf("https://%s/%d", []string{"x1.test", "X1.test", "x1.test.", "x1.test:8443"}[i%4], i))
	}
	if taken != strangersPerHost {
		t.Errorf("%d were fetched from one host", taken)
	}
	for i := range 100 {
		count(fmt.Sprintf("https://h%d.test/", i))
	}
	if taken != strangersInAll || len(fetched) != strangersInAll+1 {
		t.Errorf("%d were fetched, from %d addresses", taken, len(fetched))
	}
	for i := range 2 * maxKeySets {
		w.strangers.entry(fmt.Sprint(i))
	}
	w.ok(ask(&w.C1))
	if n := fetched["https://c1.test/jwks"]; n != 1 {
		t.Errorf("the keys of an app that is used were fetched %d times", n)
	}
	w.clock.pass(time.Minute)
	app := stranger("https://late.test/")
	w.ok(ask(app))

	// Once someone has allowed it, it is as any other app.
	w.ok(w.keepApp(w.ctx, app))
	app, err := w.App(w.ctx, symbolon.ClientID(app.ClientID()))
	w.ok(err)
	for i := range 100 {
		w.strangers.tooMany(fmt.Sprintf("https://g%d.test/", i), w.clock.Now())
	}
	w.ok(ask(app))
	if n := fetched["https://late.test/"]; n != 2 {
		t.Errorf("fetched %d times", n)
	}
}

// RFC8628-5.1, RFC8628-5.4: who has a network of IPv6 addresses is one caller.
func TestDevicesOfANetwork(t *testing.T) {
	w := newWide(t)
	taken := 0
	for i := range 2 * devicesLimit {
		p, err := ParseForm("client_id=" + string(w.D1.ID))
		w.ok(err)
		req := ReadDevice(&p, Credentials{Address: fmt.Sprintf("2001:db8::%x", i)})
		if _, err := w.AuthorizeDevice(w.ctx, &req); err == nil {
			taken++
		} else {
			w.refused(err, TooManyRequests)
		}
	}
	if taken != devicesLimit {
		t.Errorf("%d devices began", taken)
	}
	for i := range triesLimit {
		_, err := w.Device(w.ctx, "BBBB-BBBB", symbolon.AccountID(fmt.Sprintf("%040x", i)), fmt.Sprintf("2001:db8::%x", i))
		w.refused(err, InvalidGrant)
	}
	_, err := w.Device(w.ctx, "BBBB-BBBB", w.U2.ID, "2001:db8::ffff")
	w.refused(err, TooManyRequests)
	_, err = w.Device(w.ctx, "BBBB-BBBB", w.U2.ID, "2001:db8:0:1::1")
	w.refused(err, InvalidGrant)
}

// RFC7591-3-b, RFC7592-2.2, RFC7592-2.3: rows that no one has allowed are few, whoever asks
// for them. An app that was allowed is not held up by those.
func TestUnusedRowsAreFew(t *testing.T) {
	w := newRegistry(t)
	type joined struct {
		info *ClientInformation
		app  *symbolon.App
	}
	join := func(i int) joined {
		w.Helper()
		info, err := w.Register(w.ctx, []byte(changed(metadataX1, nil)), Registrant{Address: fmt.Sprint(i)})
		w.ok(err)
		app := known(info.ClientID, uriX1)
		w.secrets[app.ID] = info.ClientSecret
		return joined{info, app}
	}
	used := join(0)
	w.connected(used.app)
	change := func(j joined, address string) error {
		_, err := w.Reregister(w.ctx, j.info.ClientID, j.info.RegistrationAccessToken, []byte(changed(metadataX1, map[string]any{"client_id": j.info.ClientID, "client_name": rand.Text()})), Registrant{Address: address})
		return err
	}
	remove := func(j joined, address string) error {
		_, err := w.Unregister(w.ctx, j.info.ClientID, j.info.RegistrationAccessToken, Registrant{Address: address})
		return err
	}
	rows := func() int {
		apps, err := w.store.Apps(w.ctx, symbolon.AppQuery{Limit: 1000})
		w.ok(err)
		return len(apps)
	}
	before := rows()
	for i := range 2 * unusedPerAddress {
		if err := []func(joined, string) error{change, remove}[i%2](join(i), "192.0.2.1"); err != nil {
			w.refused(err, TooManyRequests)
		}
	}
	if n := rows() - before; n != unusedPerAddress {
		t.Errorf("%d rows from one address", n)
	}
	for i := range 2 * unusedInAll {
		if err := []func(joined, string) error{change, remove}[i%2](join(100+i), fmt.Sprint(i)); err != nil {
			w.refused(err, TooManyRequests)
		}
	}
	if n := rows() - before; n != unusedInAll {
		t.Errorf("%d rows in all", n)
	}
	w.ok(change(used, "192.0.2.2"))
	w.ok(remove(used, "192.0.2.1"))
}

// A13: what an operator deletes does not come back by its client_id alone.
func TestGone(t *testing.T) {
	w := newRegistry(t)
	info, app := w.joined(nil)
	tokens := w.connected(app)
	w.clock.pass(time.Second)
	row := w.app(idOf(dynamicID, info.ClientID))
	gone, needed := Gone(&row, UnusedLifetime, w.clock.Now())
	if !needed {
		t.Fatal("it is young")
	}
	w.ok(w.store.PutApp(w.ctx, gone))
	w.end(symbolon.End{Client: row.ID, Reason: symbolon.ByOperator, Now: w.clock.Now()})
	w.clock.pass(time.Second)
	w.ok(w.feed.Poll(w.ctx))
	w.dead(tokens)
	_, err := w.Authorize(w.ctx, w.request(app), w.allowing())
	w.page(err, UnknownClient)
	_, err = w.Registered(w.ctx, info.ClientID, info.RegistrationAccessToken)
	w.refused(err, InvalidToken)
	for _, other := range []symbolon.App{w.C1, {Settings: symbolon.Settings{Registration: &symbolon.Registration{Document: true}}, CreatedAt: w.clock.Now()}} {
		if _, needed := Gone(&other, UnusedLifetime, w.clock.Now()); needed {
			t.Errorf("%s needs a row", other.ID)
		}
	}
	if _, needed := Gone(&row, UnusedLifetime, row.CreatedAt.Add(UnusedLifetime)); needed {
		t.Error("it is old, and needs a row")
	}
}

// RFC9396-2-b, RFC9396-8-a: the sentence on the consent page shows what the app wrote, and
// nothing in it hides or turns around what is there.
func TestSentencesCannotBeTurned(t *testing.T) {
	w := newWide(t)
	for value, want := range map[string]string{
		`"100"`:                              "pay 100 EUR to x",
		`"\u202e001"`:                        "pay 001 EUR to x",
		`"\u2066001\u2069\u200b\u0007"`:      "pay 001 EUR to x",
		`"1\n\n00"`:                          "pay 1 00 EUR to x",
		`"\u200b"`:                           "pay … EUR to x",
		`"` + strings.Repeat("9", 201) + `"`: "pay " + strings.Repeat("9", 200) + "… EUR to x",
		`["\u202e1", {"a": "\u202e2"}]`:      "pay 1, map[a:2] EUR to x",
	} {
		got := w.sentences(`[{"type":"payment","amount":{"value":` + value + `,"currency":"EUR"},"creditor":"x"}]`)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

// CIMD-5-a: what a stranger sends is carried through the pages, and must fit.
func TestStrangersLongRequest(t *testing.T) {
	w, _ := newSite(t)
	for _, change := range []string{"state=", "login_hint=", "scope=", "resource=https://r.test/"} {
		_, err := w.Authorize(w.ctx, w.request(x1, change+strings.Repeat("x", maxQuery)), Actor{Interactive: true})
		w.page(err, InvalidRequest)
	}
}

// A13: a resource that an app's settings spell in another way than the
// configuration is the same API, with its scopes and its format.
func TestOtherSpellingIsTheSameAPI(t *testing.T) {
	w := newWide(t)
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Settings.Resources = []string{r1 + "/", "HTTPS://r2.test:443/api/"} })
	for uri, want := range map[string]string{r1: "connect read", r2: "connect write"} {
		a := w.redeemed(&w.C1, []string{"scope=connect read write", "resource=" + uri})
		if a.Scope != want || strings.HasPrefix(a.AccessToken, "eyJ") != (uri == r2) {
			t.Errorf("%s: scope %q, token %.4s", uri, a.Scope, a.AccessToken)
		}
	}
}

// RFC8707-3: the person sees for which APIs they are asked, by the names that the
// owner gave them.
func TestConsentSaysWhichAPI(t *testing.T) {
	w := newWide(t)
	for want, changes := range map[string][]string{
		"":        nil,
		"one":     {"resource=" + r1 + "/"},
		"one two": {"resource=" + r1, "+resource=" + r2},
	} {
		answer, err := w.Authorize(w.ctx, w.request(&w.C1, append([]string{"prompt=consent"}, changes...)...), Actor{Interactive: true, SignedIn: w.signedIn(w.U1)})
		w.ok(err)
		if got := strings.Join(answer.APIs, " "); got != want || answer.Need != NeedConsent {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w.edit(w.D1.ID, func(a *symbolon.App) { a.Settings.Resources = []string{r3} })
	pending, err := w.Device(w.ctx, w.begun(&w.D1, "resource="+r3).UserCode, w.U1.ID, "192.0.2.7")
	w.ok(err)
	if len(pending.APIs) != 1 || pending.APIs[0] != r3 {
		t.Errorf("a device: %v", pending.APIs)
	}
}
