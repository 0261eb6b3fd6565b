//go:build linux

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// proof is a way in which an app proves itself.
type proof struct {
	name  string
	apply func(a *app, v url.Values) (url.Values, []option)
}

var proofs = []proof{
	{"body", func(_ *app, v url.Values) (url.Values, []option) { return v, nil }},
	{"basic", func(a *app, v url.Values) (url.Values, []option) {
		return with(v, "client_id", "", "client_secret", ""), []option{basic(a.ID, a.Secret)}
	}},
	{"basic and body that agree", func(a *app, v url.Values) (url.Values, []option) {
		return v, []option{basic(a.ID, a.Secret)}
	}},
	{"basic, and client_id in the body", func(a *app, v url.Values) (url.Values, []option) {
		return with(v, "client_secret", ""), []option{basic(a.ID, a.Secret)}
	}},
}

// Step 3: CONTRACT.md "Steps 3 and 5", ledger A2.
func TestToken(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	for _, e := range encodings {
		for _, p := range proofs {
			t.Run(e.name+", "+p.name, func(t *testing.T) {
				v, opts := p.apply(a, a.redemption(a.code(t)))
				r := d.postAs(t, e, "/token", v, opts...)
				a.alive(t, granted(t, r))
				if r.text("scope") != "connect" {
					t.Errorf("scope %q", r.text("scope"))
				}
			})
		}
	}
	t.Run("the scope is what was asked for, in that order", func(t *testing.T) {
		b := d.newApp(t, "https://c1.test/cb")
		r := d.post(t, "/token", b.redemption(b.code(t, "scope", "other connect")))
		granted(t, r)
		if r.text("scope") != "other connect" {
			t.Errorf("scope %q", r.text("scope"))
		}
	})
	t.Run("with a code verifier", func(t *testing.T) {
		verifier, challenge := pkce()
		code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
		granted(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
	})
	t.Run("a public app, with a code verifier and no secret", func(t *testing.T) {
		p := d.newApp(t, "https://spa.test/cb", "--public")
		p.alive(t, p.connect(t))
	})
	t.Run("grant_type=refresh_token, as every library sends it", func(t *testing.T) {
		for _, e := range encodings {
			tk := a.connect(t)
			a.alive(t, granted(t, d.postAs(t, e, "/token", a.refreshing(tk.refresh))))
		}
	})
	t.Run("media types with parameters", func(t *testing.T) {
		for _, contentType := range []string{"application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded;charset=utf-8"} {
			granted(t, d.postRaw(t, "/token", contentType, a.redemption(a.code(t)).Encode()))
		}
		_, body := encodings[1].body(a.redemption(a.code(t)))
		granted(t, d.postRaw(t, "/token", "application/json; charset=utf-8", body))
	})
	t.Run("JSON null counts as absent", func(t *testing.T) {
		_, body := encodings[1].body(a.redemption(a.code(t)))
		granted(t, d.postRaw(t, "/token", "application/json", strings.TrimSuffix(body, "}")+`,"code_verifier":null,"unknown":[1,{"a":2}]}`))
	})
}

// tokenWants are refusals of step 3. Each is sent with a code that is good, and
// must leave it good.
var tokenWants = []want{
	{"grant_type missing", unset("grant_type"), 400, "invalid_request"},
	{"grant_type repeated", twice("grant_type"), 400, "invalid_request"},
	{"RFC9700-2.4-a grant_type password", set("grant_type", "password", "username", "jane", "password", "x"), 501, "unsupported_grant_type"},
	{"grant_type client_credentials", set("grant_type", "client_credentials"), 501, "unsupported_grant_type"},
	{"grant_type implicit", set("grant_type", "implicit"), 501, "unsupported_grant_type"},
	{"code missing", unset("code"), 400, "invalid_request"},
	{"code empty", set("code", ""), 400, "invalid_request"},
	{"RFC6749-3.2-c code repeated", twice("code"), 400, "invalid_request"},
	{"code that is none", set("code", "0123456789abcdef0123456789abcdef0123456789a"), 400, "invalid_grant"},
	{"RFC6749-5.2-e code with markup", set("code", `<script>alert("x")</script>`), 400, "invalid_grant"},
	{"code with NUL", set("code", "sym_ac_\x00"), 400, "invalid_request"},
	{"redirect_uri missing", unset("redirect_uri"), 400, "invalid_request"},
	{"redirect_uri repeated", twice("redirect_uri"), 400, "invalid_request"},
	{"RFC6749-4.1.3-b redirect_uri with a slash more", func(v url.Values) { v.Set("redirect_uri", v.Get("redirect_uri")+"/") }, 400, "invalid_grant"},
	{"another registered redirect_uri", func(v url.Values) { v.Set("redirect_uri", "https://www.make.com/oauth/cb/app") }, 400, "invalid_grant"},
	{"client_id missing", unset("client_id"), 400, "invalid_request"},
	{"client_id repeated", twice("client_id"), 400, "invalid_request"},
	{"client_id of no app", set("client_id", "sym_app_nobodyhasthisone"), 404, "invalid_client"},
	{"RFC6749-2.3-a client_secret missing", unset("client_secret"), 400, "invalid_client"},
	{"client_secret repeated", twice("client_secret"), 400, "invalid_request"},
	{"client_secret wrong", set("client_secret", "sym_secret_wrongwrongwrongwrong"), 400, "invalid_client"},
	{"RFC9700-4.8.2-a a verifier without a challenge", func(v url.Values) { x, _ := pkce(); v.Set("code_verifier", x) }, 400, "invalid_grant"},
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a := d.theApp()
	code, made := a.code(t), time.Now()
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, w := range tokenWants {
				t.Run(w.name, func(t *testing.T) {
					v := a.redemption(code)
					w.change(v)
					if e.name == "json" && repeated(v) != "" {
						refused(t, d.postRaw(t, "/token", "application/json", jsonTwice(v)), w.status, w.code)
						return
					}
					refused(t, d.postAs(t, e, "/token", v), w.status, w.code)
				})
			}
		})
	}
	t.Run("by Basic", func(t *testing.T) {
		v := with(a.redemption(code), "client_id", "", "client_secret", "")
		r := d.post(t, "/token", v, basic(a.ID, "sym_secret_wrongwrongwrongwrong"))
		refused(t, r, 401, "invalid_client")
		challenged(t, r, "Basic", "")
		refused(t, d.post(t, "/token", v, basic("sym_app_nobodyhasthisone", a.Secret)), 404, "invalid_client")
		for name, header := range map[string]option{
			"no base64":      header("Authorization", "Basic !!!"),
			"no colon":       header("Authorization", "Basic YWJj"),
			"empty":          header("Authorization", "Basic "),
			"another scheme": header("Authorization", "Bearer abcdef"),
		} {
			r := d.post(t, "/token", v, header)
			if r.Status != 400 && r.Status != 401 || r.JSON == nil {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
		b := d.newApp(t, "https://c2.test/cb")
		for name, v := range map[string]url.Values{
			"RFC6749-4.1.3-e client_id of another app": with(v, "client_id", b.ID),
			"RFC6749-5.2-d another secret":             with(v, "client_secret", b.Secret),
		} {
			t.Run(name, func(t *testing.T) {
				refused(t, d.post(t, "/token", v, basic(a.ID, a.Secret)), 400, "invalid_request")
			})
		}
	})
	t.Run("RFC6749-2.3.1-c parameters in the query are not taken", func(t *testing.T) {
		v := a.redemption(code)
		refused(t, d.post(t, "/token?"+v.Encode(), url.Values{}), 400, "invalid_request")
		refused(t, d.post(t, "/token?client_secret="+a.Secret, with(v, "client_secret", "")), 400, "invalid_request")
		refused(t, d.post(t, "/token?code=x", v), 400, "invalid_request")
		if strings.Contains(d.logText(), a.Secret) {
			t.Error("the secret of the query is in the log")
		}
	})
	t.Run("bodies that cannot be read", func(t *testing.T) { unreadableBodies(t, d, "/token", a.redemption(code)) })
	// After all of that, the code is as good as new, unless it is too old.
	if time.Since(made) < 55*time.Second {
		a.alive(t, granted(t, d.post(t, "/token", a.redemption(code))))
	}
}

// repeated returns the name of a field that is there twice.
func repeated(v url.Values) string {
	for k, values := range v {
		if len(values) > 1 {
			return k
		}
	}
	return ""
}

// jsonTwice is an object with one member twice.
func jsonTwice(v url.Values) string {
	_, body := encodings[1].body(v)
	name := repeated(v)
	return strings.TrimSuffix(body, "}") + `,"` + name + `":"` + v.Get(name) + `"}`
}

// unreadableBodies sends what is no body of steps 3 and 5, in place of a good
// one.
func unreadableBodies(t *testing.T, d *server, path string, good url.Values) {
	form := "application/x-www-form-urlencoded"
	_, object := encodings[1].body(good)
	member := func(m string) string { return strings.TrimSuffix(object, "}") + "," + m + "}" }
	big := strings.Repeat("x", 70<<10)
	for _, c := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"nothing at all", "", "", 400},
		{"an empty form", form, "", 400},
		{"a broken percent-escape", form, "grant_type=%zz", 400},
		{"not UTF-8", form, "grant_type=%ff%fe&code=x", 400},
		{"an empty JSON body", "application/json", "", 400},
		{"JSON that ends early", "application/json", object[:len(object)-5], 400},
		{"a JSON array", "application/json", "[" + object + "]", 400},
		{"a JSON string", "application/json", `"grant_type"`, 400},
		{"JSON null", "application/json", "null", 400},
		{"something behind the JSON", "application/json", object + "x", 400},
		{"two JSON objects", "application/json", object + object, 400},
		{"NaN", "application/json", member(`"x":NaN`), 400},
		{"a number for a string", "application/json", strings.Replace(object, `"grant_type":"`+good.Get("grant_type")+`"`, `"grant_type":1e400`, 1), 400},
		{"a list for a string", "application/json", strings.Replace(object, `"grant_type":"`+good.Get("grant_type")+`"`, `"grant_type":["refresh_token"]`, 1), 400},
		{"deep JSON", "application/json", member(`"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000)), 400},
		{"JSON in another character set", "application/json; charset=utf-16", object, 415},
		{"a form in another character set", form + "; charset=utf-16", good.Encode(), 415},
		{"no type", "", good.Encode(), 415},
		{"text", "text/plain", good.Encode(), 415},
		{"XML", "application/xml", "<a/>", 415},
		{"a type that is none", "a/b/c;;", good.Encode(), 415},
		{"multipart", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nauthorization_code\r\n--x--\r\n", 415},
		{"70 KB of form", form, "x=" + big, 413},
		{"70 KB of JSON", "application/json", `{"x":"` + big + `"}`, 413},
		{"101 parameters", form, strings.Repeat("x=1&", 101) + good.Encode(), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, d.postRaw(t, path, c.contentType, c.body), c.status, "invalid_request")
		})
	}
	t.Run("70 KB without a length", func(t *testing.T) {
		req := request(t, http.MethodPost, d.base+path, io.MultiReader(bytes.NewReader([]byte("x="+big))))
		req.Header.Set("Content-Type", form)
		refused(t, send(t, bare, req), 413, "invalid_request")
	})
}

func TestCode(t *testing.T) {
	t.Parallel()
	d := demo(t)
	a, b := d.theApp(), d.newApp(t, "https://c2.test/cb")
	t.Run("RFC6749-4.1.2-d B1 C21 works once; used again, its connection is ended", func(t *testing.T) {
		code := a.code(t)
		tk := granted(t, d.post(t, "/token", a.redemption(code)))
		refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
		a.over(t, tk)
		refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
	})
	t.Run("refreshed meanwhile, a replay still ends everything", func(t *testing.T) {
		code := a.code(t)
		tk := a.alive(t, granted(t, d.post(t, "/token", a.redemption(code))))
		refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
		a.over(t, tk)
	})
	verifier, challenge := pkce()
	other, _ := pkce()
	wrong := map[string]func(code string) *reply{
		"B6 another app": func(code string) *reply {
			return d.post(t, "/token", b.redemption(code, "redirect_uri", a.redirect, "code_verifier", verifier))
		},
		"another redirect_uri": func(code string) *reply {
			return d.post(t, "/token", a.redemption(code, "redirect_uri", d.greet.RedirectURIs[1], "code_verifier", verifier))
		},
		"RFC7636-4.6-a another verifier": func(code string) *reply {
			return d.post(t, "/token", a.redemption(code, "code_verifier", other))
		},
		"RFC7636-4.6-b no verifier": func(code string) *reply { return d.post(t, "/token", a.redemption(code)) },
		"RFC7636-4.1-a verifier of 42": func(code string) *reply {
			return d.post(t, "/token", a.redemption(code, "code_verifier", verifier[:42]))
		},
		"verifier of 129": func(code string) *reply {
			return d.post(t, "/token", a.redemption(code, "code_verifier", strings.Repeat("a", 129)))
		},
	}
	for name, send := range wrong {
		t.Run("B4 "+name+": refused, and nothing is spent or ended", func(t *testing.T) {
			code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
			refused(t, send(code), 400, "invalid_grant")
			tk := granted(t, d.post(t, "/token", a.redemption(code, "code_verifier", verifier)))
			// OAUTH21-7.5.2-a: a replay that fails another check ends nothing.
			refused(t, send(code), 400, "invalid_grant")
			a.alive(t, tk)
		})
	}
	t.Run("RFC6749-4.1.2-c it expires within a minute or so", func(t *testing.T) {
		needLong(t)
		t.Parallel()
		code := a.code(t)
		time.Sleep(61 * time.Second)
		refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
	})
	t.Run("B1 replays 1 s and 30 s later", func(t *testing.T) {
		needLong(t)
		t.Parallel()
		for _, wait := range []time.Duration{time.Second, 30 * time.Second} {
			code := a.code(t)
			tk := granted(t, d.post(t, "/token", a.redemption(code)))
			time.Sleep(wait)
			refused(t, d.post(t, "/token", a.redemption(code)), 400, "invalid_grant")
			a.over(t, tk)
		}
	})
}
