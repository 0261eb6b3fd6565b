package oauth

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// Each case redeems a fresh code at step 3 and refreshes at step 5.
func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	id, secret := string(w.C1.ID), w.secrets[w.C1.ID]
	none := []string{"-client_id", "-client_secret"}
	header := func(h string, body ...string) []string { return append([]string{"Authorization: " + h}, body...) }
	both := func(act func(redeem func(...string) error)) {
		w.Helper()
		act(func(changes ...string) error { _, err := w.redeem(&w.C1, w.code(&w.C1), changes...); return err })
		act(func(changes ...string) error {
			_, err := w.refresh(&w.C1, w.connected(&w.C1).RefreshToken, changes...)
			return err
		})
	}
	good := func(changes ...string) {
		w.Helper()
		both(func(step func(...string) error) { w.ok(step(changes...)) })
	}
	bad := func(want Refusal, changes ...string) {
		w.Helper()
		both(func(step func(...string) error) { w.refused(step(changes...), want) })
	}

	w.run("RFC6749-2.3.1-d", func(t *testing.T) { good() })
	w.run("RFC6749-2.3.1-a", func(t *testing.T) {
		good(header(basic(id, secret), none...)...)
		good(header("basic "+strings.TrimPrefix(basic(id, secret), "Basic "), none...)...)
	})
	w.run("RFC6749-2.3.1-b", func(t *testing.T) {
		// Raw and percent-encoded, CLIENTS 1; here with every character encoded.
		encoded := func(s string) (out string) {
			for _, c := range []byte(s) {
				out += fmt.Sprintf("%%%02x", c)
			}
			return out
		}
		good(header(basic(url.QueryEscape(id), url.QueryEscape(secret)), none...)...)
		good(header(basic(encoded(id), encoded(secret)), none...)...)
	})
	w.run("CLIENTS-2", func(t *testing.T) {
		good(header(basic(id, secret))...) // the same in the body
		good(header(basic(id, secret), "-client_secret")...)
		good(header(basic(id, secret), "-client_id")...)
	})
	w.run("RFC6749-5.2-d", func(t *testing.T) {
		bad(InvalidRequest, header(basic(id, secret), "client_secret=another")...)
		bad(InvalidRequest, header(basic(id, "another"))...)
		bad(InvalidRequest, header("Bearer sym_at_x")...)
		bad(InvalidRequest, header("Basic !!")...)
		bad(InvalidRequest, header("Basic "+"aWQ=", none...)...)
	})
	w.run("RFC6749-4.1.3-e", func(t *testing.T) {
		bad(InvalidRequest, header(basic(id, secret), "client_id=sym_app_c2", "-client_secret")...)
		bad(InvalidRequest, header(basic("sym_app_c2", w.secrets[w.C2.ID]), "-client_secret")...)
	})
	w.run("RFC6749-5.2-a", func(t *testing.T) {
		bad(InvalidClient, header(basic(id, "wrong"), none...)...)
		bad(InvalidClient, "client_secret=wrong")
		bad(InvalidClient, "client_secret="+secret[:len(secret)-1])
		bad(InvalidClient, "client_secret="+secret+"x")
		bad(InvalidClient, "client_secret="+w.secrets[w.C2.ID])
	})
	w.run("RFC6749-2.3-a", func(t *testing.T) {
		bad(InvalidClient, "-client_secret")
		bad(InvalidClient, "client_secret=")
		bad(InvalidClient, header(basic(id, ""), none...)...)
	})
	w.run("RFC6749-4.1.3-d", func(t *testing.T) {
		_, err := w.redeem(&w.C1, w.code(&w.C1), "-client_secret") // with the right verifier
		w.refused(err, InvalidClient)
	})
	w.run("RFC6749-4.1.3-c", func(t *testing.T) {
		_, err := w.redeem(&w.P1, w.code(&w.P1), "-client_id")
		w.refused(err, InvalidRequest)
		bad(InvalidRequest, none...)
	})
	w.run("RFC7591-2-auth", func(t *testing.T) {
		// A public app that sends a secret is refused, wherever it sends it.
		code := w.code(&w.P1)
		_, err := w.redeem(&w.P1, code, "client_secret=x")
		w.refused(err, InvalidClient)
		_, err = w.redeem(&w.P1, code, "Authorization: "+basic(string(w.P1.ID), "x"))
		w.refused(err, InvalidClient)
		_, err = w.redeem(&w.P1, code, "Authorization: "+basic(string(w.P1.ID), ""), "-client_id")
		w.ok(err)
	})
	w.run("unknown app", func(t *testing.T) {
		bad(UnknownClient, "client_id=sym_app_nope")
		bad(UnknownClient, header(basic("sym_app_nope", secret), none...)...)
		bad(UnknownClient, "client_id="+strings.Repeat("x", 5000))
		bad(UnknownClient, "client_id=' OR 1=1 --")
	})
	w.run("RFC6749-2.3.1-f", func(t *testing.T) {
		plain, stored := symbolon.NewSecret(w.clock.Now())
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Secrets = append(a.Secrets, stored) })
		good()
		good("client_secret=" + plain)
		w.edit(w.C1.ID, func(a *symbolon.App) { a.Secrets = a.Secrets[1:] })
		old := w.secrets[w.C1.ID]
		w.secrets[w.C1.ID] = plain
		good()
		bad(InvalidClient, "client_secret="+old) // it is retired
	})
	w.run("RFC6749-2.3.1-c", func(t *testing.T) {
		// What a query has is seen by HasTokenParams; the surface refuses it.
		for _, name := range tokenNames {
			p, err := ParseForm(name + "=x")
			w.ok(err)
			if !HasTokenParams(&p) {
				t.Errorf("%s in a query is passed over", name)
			}
		}
		if p, _ := ParseForm("utm_source=x"); HasTokenParams(&p) {
			t.Error("a parameter that is none of ours counts")
		}
	})
	w.run("B50", func(t *testing.T) {
		// The page wants to tell an unknown app from a wrong secret (404 and
		// 400); docs/divergences.md. Neither shows anything of a secret.
		_, unknown := w.redeem(&w.C1, "x", "client_id=sym_app_nope", "client_secret=s3cret")
		_, wrong := w.redeem(&w.C1, "x", "client_secret=s3cret")
		for _, err := range []error{unknown, wrong} {
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v", err)
			}
		}
	})
}

// RFC6749-2.3.1-e: who guesses is slowed down, and no one is shut out.
func TestGuessing(t *testing.T) {
	w := newWorld(t)
	try := func(address, secret string) error {
		req := w.tokenRequest(&w.C1, []string{"grant_type=authorization_code", "code=x", "redirect_uri=" + uriC1}, []string{"client_secret=" + secret})
		req.Credentials.Address = address
		_, err := w.Token(w.ctx, req)
		return err
	}
	right := w.secrets[w.C1.ID]
	w.run("RFC6749-2.3.1-e", func(t *testing.T) {
		for i := range 1000 {
			err := try("192.0.2.1", fmt.Sprint("wrong", i))
			if i < guessesLimit {
				w.refused(err, InvalidClient)
				continue
			}
			if e := w.refused(err, TooManyGuesses); e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
				t.Fatalf("to be tried again after %v", e.RetryAfter)
			}
		}
		w.refused(try("192.0.2.1", right), InvalidGrant) // the secret is taken; the code is not
		w.refused(try("198.51.100.7", right), InvalidGrant)
		w.refused(try("198.51.100.7", "wrong"), InvalidClient)
		w.clock.pass(time.Minute)
		w.refused(try("192.0.2.1", "wrong"), InvalidClient)
	})
	w.run("bounded", func(t *testing.T) {
		for i := range guessesKept + 10 {
			try(fmt.Sprint("address ", i), "wrong") //nolint:errcheck // the count matters
		}
		if n := len(w.wrong.count); n > guessesKept {
			t.Errorf("%d are kept", n)
		}
	})
}

// B54, SYM-AUTH-1: a wrong secret costs a hash and a comparison, no reading of
// the store, and less than 50 µs even here, where others share the machine.
func TestWrongSecretIsCheap(t *testing.T) {
	w := newWorld(t)
	req := w.tokenRequest(&w.C1, []string{"grant_type=authorization_code", "code=x", "redirect_uri=" + uriC1}, []string{"client_secret=wrong"})
	w.Token(w.ctx, req) //nolint:errcheck // reads the app once
	reads := 0
	w.store.Plan(func(verb string) storetest.Fault {
		if verb != "Changes" {
			reads++
		}
		return storetest.NoFault
	})
	best := time.Hour
	for range 500 { // the best of many: what else the machine does counts for nothing
		start := time.Now()
		for range 10 {
			w.Token(w.ctx, req) //nolint:errcheck // the time matters
		}
		best = min(best, time.Since(start)/10)
	}
	if reads > 0 {
		t.Errorf("%d reads", reads)
	}
	t.Logf("%v each", best)
	if best > 50*time.Microsecond {
		t.Errorf("%v each", best)
	}
}
