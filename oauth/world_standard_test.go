package oauth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"pgregory.net/rapid"
)

// The owner's APIs in the tests: r1 takes sealed tokens, r2 JWTs, and each has a
// scope of its own.
const (
	r1 = "https://r1.test"
	r2 = "https://r2.test/api"
	r3 = "https://r3.test"
)

// wide is a world with the fixtures of the standard surface: M1, which has
// tokens in its own name only; R1 and R2, the APIs r1 and r2, of which R1 may
// exchange tokens of C1 and R2 those of R1; the public device D1. C1 may use
// resources, and C2 and P1 stay as they are.
type wide struct {
	*world
	M1, R1, R2, D1 symbolon.App
}

func newWide(t rapid.TB, configure ...func(*Config)) *wide {
	t.Helper()
	w := &wide{world: newWorld(t, append([]func(*Config){func(c *Config) {
		c.Resources = []Resource{
			{URI: r1, Name: "one", Scopes: symbolon.Scopes{"connect", "read"}},
			{URI: r2, Name: "two", Scopes: symbolon.Scopes{"connect", "write"}, Token: symbolon.TokenJWT},
		}
		c.Details = []DetailType{{Type: "payment", Sentence: "pay {amount.value} {amount.currency} to {creditor}", Fields: []string{"amount", "creditor"}, Required: []string{"amount"}}, {Type: "file", Sentence: "read {identifier}"}}
	}}, configure...)...)}
	all := symbolon.Scopes{"connect", "read", "write"}
	add := func(name string, change func(*symbolon.App)) symbolon.App {
		a := symbolon.App{ID: symbolon.ClientID("sym_app_" + name), Name: name, Scope: all, CreatedAt: w.clock.Now()}
		plain, stored := symbolon.NewSecret(w.clock.Now())
		if change(&a); !a.Public {
			a.Secrets, w.secrets[a.ID] = []symbolon.Secret{stored}, plain
		}
		w.ok(w.store.PutApp(w.ctx, a))
		return w.app(a.ID)
	}
	w.M1 = add("m1", func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantClient} })
	w.R1 = add("r1", func(a *symbolon.App) {
		a.Settings = symbolon.Settings{API: true, APIResources: []string{r1}, Grants: []symbolon.GrantType{symbolon.GrantExchange, symbolon.GrantClient}, ExchangeFor: []symbolon.ClientID{"sym_app_c1"}}
	})
	w.R2 = add("r2", func(a *symbolon.App) {
		a.Settings = symbolon.Settings{API: true, APIResources: []string{r2}, Grants: []symbolon.GrantType{symbolon.GrantExchange}, ExchangeFor: []symbolon.ClientID{"sym_app_r1"}}
	})
	w.D1 = add("d1", func(a *symbolon.App) {
		a.Public, a.Settings.Grants = true, []symbolon.GrantType{symbolon.GrantDevice, symbolon.GrantRefresh}
	})
	w.edit(w.C1.ID, func(a *symbolon.App) { a.Scope = all })
	w.C1 = w.app(w.C1.ID)
	w.clock.pass(time.Second)
	return w
}

// call is a token request at the standard surface.
func (w *world) call(app *symbolon.App, pairs ...string) (*TokenResponse, error) {
	w.Helper()
	return w.Token(w.ctx, w.calling(app, pairs...))
}

func (w *world) calling(app *symbolon.App, pairs ...string) *TokenRequest {
	w.Helper()
	req := w.tokenRequest(app, nil, pairs)
	req.Standard = true
	return req
}

// called is the answer to call.
func (w *world) called(app *symbolon.App, pairs ...string) *TokenResponse {
	w.Helper()
	answer, err := w.call(app, pairs...)
	w.ok(err)
	return answer
}

// redeemed is a code of A(authorize) that is redeemed at the standard surface.
func (w *world) redeemed(app *symbolon.App, authorize []string, changes ...string) *TokenResponse {
	w.Helper()
	answer, err := w.redeeming(app, authorize, changes...)
	w.ok(err)
	return answer
}

func (w *world) redeeming(app *symbolon.App, authorize []string, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.call(app, append([]string{"grant_type=authorization_code", "code=" + w.code(app, authorize...), "redirect_uri=" + app.RedirectURIs[0], "code_verifier=" + verifier}, changes...)...)
}

// own is a token in the app's own name.
func (w *world) own(app *symbolon.App, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.call(app, append([]string{"grant_type=client_credentials"}, changes...)...)
}

// exchange trades a subject token.
func (w *world) exchange(app *symbolon.App, subject string, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.call(app, append([]string{"grant_type=" + string(symbolon.GrantExchange), "subject_token=" + subject, "subject_token_type=" + typeAccessToken}, changes...)...)
}

// query is a request about a token, from an app that proves itself.
func (w *world) query(app *symbolon.App, token string, changes ...string) *TokenQuery {
	w.Helper()
	pairs := []string{"token=" + token, "client_id=" + string(app.ID)}
	if secret := w.secrets[app.ID]; secret != "" {
		pairs = append(pairs, "client_secret="+secret)
	}
	p, err := ParseForm(form(pairs, changes))
	w.ok(err)
	q := ReadTokenQuery(&p, Credentials{})
	return &q
}

func (w *world) revoke(app *symbolon.App, token string, changes ...string) error {
	w.Helper()
	_, err := w.Revoke(w.ctx, w.query(app, token, changes...))
	return err
}

// told is what introspection says of a token.
func (w *world) told(app *symbolon.App, token string, changes ...string) map[string]any {
	w.Helper()
	answer, err := w.Introspect(w.ctx, w.query(app, token, changes...))
	w.ok(err)
	if answer.Signed {
		w.Fatalf("the answer is signed")
	}
	var object map[string]any
	w.ok(json.Unmarshal(answer.Body, &object))
	if object["active"] != true && string(answer.Body) != `{"active":false}` {
		w.Fatalf("of a token that is not active it is said %s", answer.Body)
	}
	return object
}

// active reports whether a token is good, to an app.
func (w *world) active(app *symbolon.App, token string) bool {
	w.Helper()
	return w.told(app, token)["active"] == true
}

// claims are those of a JWT that this server signed, and its header.
func (w *world) claims(text string) (header, claims map[string]any) {
	w.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		w.Fatalf("no JWT: %.20s", text)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		w.ok(err)
		w.ok(json.Unmarshal(raw, into))
	}
	return header, claims
}

// device begins the device grant.
func (w *world) device(app *symbolon.App, changes ...string) (*DeviceAuthorization, error) {
	w.Helper()
	pairs := []string{"client_id=" + string(app.ID)}
	p, err := ParseForm(form(pairs, changes))
	w.ok(err)
	req := ReadDevice(&p, Credentials{Address: "192.0.2.1"})
	return w.AuthorizeDevice(w.ctx, &req)
}

func (w *world) begun(app *symbolon.App, changes ...string) *DeviceAuthorization {
	w.Helper()
	d, err := w.device(app, changes...)
	w.ok(err)
	return d
}

// answer is what U1 says to a device.
func (w *world) answer(d *DeviceAuthorization, allowed bool) error {
	w.Helper()
	pending, err := w.Device(w.ctx, d.UserCode, w.U1.ID, "192.0.2.7")
	if err != nil {
		return err
	}
	return w.Answer(w.ctx, pending, w.signedIn(w.U1)[0], allowed)
}

// poll is what the device asks.
func (w *world) poll(app *symbolon.App, d *DeviceAuthorization, changes ...string) (*TokenResponse, error) {
	w.Helper()
	return w.call(app, append([]string{"grant_type=" + string(symbolon.GrantDevice), "device_code=" + d.DeviceCode}, changes...)...)
}

// allowed is a device that U1 has allowed.
func (w *world) allowed(app *symbolon.App, changes ...string) *DeviceAuthorization {
	w.Helper()
	d := w.begun(app, changes...)
	w.clock.pass(time.Second)
	w.ok(w.answer(d, true))
	w.clock.pass(time.Second)
	return d
}

func sameSet(a any, want ...string) bool {
	var got []string
	switch v := a.(type) {
	case string:
		got = []string{v}
	case []any:
		for _, s := range v {
			got = append(got, s.(string))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
