package oauth

import (
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// ask makes an authorization request and returns what it needs, or for whom the
// code is.
func (w *world) ask(app *symbolon.App, who Actor, changes ...string) (Need, symbolon.AccountID, *Authorization, error) {
	w.Helper()
	answer, err := w.Authorize(w.ctx, w.request(app, changes...), who)
	if err != nil {
		return 0, "", nil, err
	}
	if (answer.Need == NeedNothing) != (answer.Callback.Code != "") {
		w.Fatalf("need %d and code %q", answer.Need, answer.Callback.Code)
	}
	if answer.Need != NeedNothing {
		return answer.Need, "", answer, nil
	}
	tokens, err := w.redeem(app, answer.Callback.Code, "redirect_uri="+answer.Callback.RedirectURI)
	w.ok(err)
	info, err := w.Info(w.ctx, Bearer(tokens.AccessToken))
	w.ok(err)
	if info.ID != answer.Account.ID {
		w.Fatalf("the answer names %s and the code is for %s", answer.Account.ID, info.ID)
	}
	return NeedNothing, info.ID, answer, nil
}

func (w *world) needs(want Need, app *symbolon.App, who Actor, changes ...string) *Authorization {
	w.Helper()
	need, _, answer, err := w.ask(app, who, changes...)
	w.ok(err)
	if need != want {
		w.Fatalf("needs %d, want %d", need, want)
	}
	return answer
}

func (w *world) isFor(want symbolon.AccountID, app *symbolon.App, who Actor, changes ...string) {
	w.Helper()
	need, account, _, err := w.ask(app, who, changes...)
	w.ok(err)
	if need != NeedNothing || account != want {
		w.Fatalf("needs %d, is for %s, want a code for %s", need, account, want)
	}
}

func (w *world) cannot(want Refusal, app *symbolon.App, who Actor, changes ...string) {
	w.Helper()
	_, _, _, err := w.ask(app, who, changes...)
	w.refused(err, want)
}

func TestBrowserFlow(t *testing.T) {
	w := newWorld(t)
	nobody := Actor{Interactive: true}
	one := Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
	two := Actor{Interactive: true, SignedIn: w.signedIn(w.U2, w.U1)}

	w.run("no session", func(t *testing.T) { w.needs(NeedSignIn, &w.C1, nobody) })
	w.run("allowed before", func(t *testing.T) { w.isFor(w.U1.ID, &w.C1, one) })
	w.run("never allowed", func(t *testing.T) {
		a := w.needs(NeedConsent, &w.C1, Actor{Interactive: true, SignedIn: w.signedIn(w.U2)})
		if a.Account.ID != w.U2.ID || a.New.String() != "connect read" || a.App.ID != w.C1.ID {
			t.Errorf("%+v", a)
		}
	})
	w.run("several signed in", func(t *testing.T) {
		a := w.needs(NeedChoice, &w.C1, two)
		if len(a.Accounts) != 2 || a.Accounts[0].ID != w.U2.ID || a.Accounts[1].ID != w.U1.ID {
			t.Errorf("%+v", a.Accounts)
		}
		chosen := two
		chosen.Chosen = w.U1.ID
		w.isFor(w.U1.ID, &w.C1, chosen)
	})
	w.run("B33", func(t *testing.T) {
		// The account that was chosen is no longer signed in: never another's code.
		gone := Actor{Interactive: true, SignedIn: w.signedIn(w.U2), Chosen: w.U1.ID}
		w.needs(NeedSignIn, &w.C1, gone)
		gone.Allowed = true
		w.needs(NeedSignIn, &w.C1, gone)
		// What was allowed for one account is not allowed for another.
		w.needs(NeedConsent, &w.C2, Actor{Interactive: true, SignedIn: w.signedIn(w.U2), Allowed: true})
	})
	w.run("chosen, and a stranger to this browser", func(t *testing.T) {
		w.needs(NeedSignIn, &w.C1, Actor{Interactive: true, SignedIn: w.signedIn(w.U1), Chosen: symbolon.NewAccountID(), Allowed: true})
	})
	w.run("login_hint", func(t *testing.T) {
		for _, hint := range []string{"jane", "JANE", string(w.U1.ID), "Jane Doe", "jane doe"} {
			w.isFor(w.U1.ID, &w.C1, two, "login_hint="+hint)
		}
		w.needs(NeedSignIn, &w.C1, one, "login_hint=john")
		w.needs(NeedSignIn, &w.C1, one, "login_hint=jan")
		w.needs(NeedSignIn, &w.C1, two, "login_hint=nobody")
		// Whom the person chose counts for more than whom the app hinted at.
		chosen := two
		chosen.Chosen = w.U1.ID
		w.isFor(w.U1.ID, &w.C1, chosen, "login_hint=john")
	})
	w.run("prompt=none", func(t *testing.T) {
		w.isFor(w.U1.ID, &w.C1, one, "prompt=none")
		for _, who := range []Actor{nobody, two} {
			_, err := w.Authorize(w.ctx, w.request(&w.C1, "prompt=none"), who)
			w.redirected(err, LoginRequired, uriC1, "xyz")
		}
		_, err := w.Authorize(w.ctx, w.request(&w.C1, "prompt=none"), Actor{Interactive: true, SignedIn: w.signedIn(w.U2)})
		w.redirected(err, ConsentRequired, uriC1, "xyz")
		w.isFor(w.U1.ID, &w.C1, two, "prompt=none", "login_hint=jane")
	})
	w.run("B30", func(t *testing.T) {
		w.end(symbolon.End{Account: w.U1.ID, Client: w.C2.ID})
		w.cannot(ConsentRequired, &w.C2, one, "prompt=none") // never allowed any more
		w.clock.pass(time.Second)
		w.ok(w.store.Allow(w.ctx, symbolon.Consent{Account: w.U1.ID, Client: w.C2.ID, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.clock.Now()}))
		w.isFor(w.U1.ID, &w.C2, one, "prompt=none", "scope=connect")
		w.cannot(ConsentRequired, &w.C2, one, "prompt=none") // a new scope
	})
	w.run("B31", func(t *testing.T) {
		a := w.needs(NeedConsent, &w.C2, one, "scope=connect read")
		if a.New.String() != "read" || a.Scope.String() != "connect read" {
			t.Errorf("new %q of %q", a.New, a.Scope)
		}
		who := one
		who.Chosen, who.Allowed = w.U1.ID, true
		w.isFor(w.U1.ID, &w.C2, who, "scope=connect read")
		w.isFor(w.U1.ID, &w.C2, one, "scope=read connect") // remembered, in any order
		w.isFor(w.U1.ID, &w.C2, one, "scope=connect")
		consent, err := w.store.Consent(w.ctx, w.U1.ID, w.C2.ID)
		w.ok(err)
		if consent.Scope.String() != "connect read" {
			t.Errorf("remembered: %q", consent.Scope)
		}
	})
	w.run("prompt=consent", func(t *testing.T) {
		a := w.needs(NeedConsent, &w.C1, one, "prompt=consent")
		if len(a.New) != 0 {
			t.Errorf("%q is new", a.New)
		}
		who := one
		who.Chosen, who.Allowed = w.U1.ID, true
		w.isFor(w.U1.ID, &w.C1, who, "prompt=consent")
	})
	w.run("prompt=select_account", func(t *testing.T) {
		w.needs(NeedChoice, &w.C1, one, "prompt=select_account")
		w.needs(NeedChoice, &w.C1, one, "prompt=select_account", "login_hint=jane")
		who := one
		who.Chosen = w.U1.ID
		w.isFor(w.U1.ID, &w.C1, who, "prompt=select_account")
		w.needs(NeedSignIn, &w.C1, nobody, "prompt=select_account")
	})
	w.run("prompt=login", func(t *testing.T) {
		w.needs(NeedSignIn, &w.C1, one, "prompt=login") // at its first request
		who := one
		who.Begun = w.clock.Now()
		w.needs(NeedSignIn, &w.C1, who, "prompt=login") // signed in before it began
		who.Chosen, who.Allowed = w.U1.ID, true
		w.needs(NeedSignIn, &w.C1, who, "prompt=login") // a posted form does not help
		who.SignedIn = slices.Clone(who.SignedIn)
		who.SignedIn[0].Session.AuthAt = who.Begun
		w.isFor(w.U1.ID, &w.C1, who, "prompt=login")
		// U2 signed in since it began, U1 long before: only U2 counts.
		both := Actor{Interactive: true, Begun: w.clock.Now(), SignedIn: append(w.signedIn(w.U1), symbolon.SignedIn{Account: w.U2, Session: symbolon.Session{AuthAt: w.clock.Now()}})}
		if a := w.needs(NeedConsent, &w.C1, both, "prompt=login"); a.Account.ID != w.U2.ID {
			t.Errorf("for %s", a.Account.ID)
		}
	})
	w.run("prompt=login consent", func(t *testing.T) {
		who := one
		who.SignedIn, who.Begun = w.signedIn(w.U1), w.clock.Now().Add(-time.Second)
		w.needs(NeedConsent, &w.C1, who, "prompt=login consent")
	})
	w.run("an unknown prompt is ignored", func(t *testing.T) { w.isFor(w.U1.ID, &w.C1, one, "prompt=create") })
}

// RFC6749-10.2-a, OAUTH21-8.1-a: whoever listens on the person's computer could
// pose as a public app there, so it asks every time.
func TestPublicAppsAreAskedForEveryTime(t *testing.T) {
	w := newWorld(t)
	one := Actor{Interactive: true, SignedIn: w.signedIn(w.U1)}
	w.needs(NeedConsent, &w.P1, one)
	w.needs(NeedConsent, &w.P1, one, "redirect_uri=com.example.app:/cb")
	w.cannot(ConsentRequired, &w.P1, one, "prompt=none")
	w.cannot(ConsentRequired, &w.P1, Actor{SignedIn: one.SignedIn})
	who := one
	who.Chosen, who.Allowed = w.U1.ID, true
	w.isFor(w.U1.ID, &w.P1, who)
	w.needs(NeedConsent, &w.P1, one)

	// One that only https addresses name is where its owner says it is.
	w.edit(w.P1.ID, func(a *symbolon.App) { a.RedirectURIs = []string{"https://spa.test/cb"} })
	w.isFor(w.U1.ID, &w.P1, one, "redirect_uri=https://spa.test/cb")
}

// An API caller is told what a person would be asked.
func TestAPICaller(t *testing.T) {
	w := newWorld(t)
	w.cannot(LoginRequired, &w.C1, Actor{})
	w.cannot(LoginRequired, &w.C1, Actor{}, "prompt=none")
	w.cannot(LoginRequired, &w.C1, Actor{}, "login_hint=jane")
	w.isFor(w.U1.ID, &w.C1, Actor{SignedIn: w.signedIn(w.U1)})
	w.isFor(w.U1.ID, &w.C1, Actor{SignedIn: w.signedIn(w.U1, w.U2)}) // the latest sign-in
	w.isFor(w.U1.ID, &w.C1, Actor{SignedIn: w.signedIn(w.U2, w.U1)}) // the latest who has allowed the app
	w.isFor(w.U1.ID, &w.C1, Actor{SignedIn: w.signedIn(w.U2, w.U1)}, "login_hint=jane")
	w.cannot(ConsentRequired, &w.C1, Actor{SignedIn: w.signedIn(w.U2)})
	w.cannot(ConsentRequired, &w.C1, Actor{SignedIn: w.signedIn(w.U1)}, "prompt=consent")
	w.cannot(LoginRequired, &w.C1, Actor{SignedIn: w.signedIn(w.U1)}, "prompt=login")
	w.cannot(LoginRequired, &w.C1, Actor{SignedIn: w.signedIn(w.U1)}, "prompt=select_account")
	w.cannot(LoginRequired, &w.C1, Actor{SignedIn: w.signedIn(w.U1)}, "login_hint=john")
	w.isFor(w.U1.ID, &w.C1, Actor{SignedIn: w.signedIn(w.U1)}, "prompt=none")
}

// The sandbox asks no one, and only what is in it.
func TestSandbox(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Sandbox = true })
	sandboxed := func(username, name string) symbolon.Account {
		a := symbolon.Account{ID: symbolon.NewAccountID(), Username: username, Name: name, Sandbox: true, CreatedAt: w.clock.Now()}
		w.ok(w.store.PutAccount(w.ctx, a))
		return w.account(a.ID)
	}
	jane, john := sandboxed("jane.doe", "Jane Sandbox"), sandboxed("john.doe", "John Sandbox")
	app := symbolon.App{ID: "sym_app_box", Sandbox: true, RedirectURIs: []string{"https://box.test/cb"}, Scope: symbolon.Scopes{"connect", "read"}, Rotation: symbolon.RotateAlways}
	plain, stored := symbolon.NewSecret(w.clock.Now())
	app.Secrets, w.secrets[app.ID] = []symbolon.Secret{stored}, plain
	w.ok(w.store.PutApp(w.ctx, app))
	w.cfg.SandboxAccount = jane.ID
	w.clock.pass(time.Second)
	w.start()

	w.isFor(jane.ID, &app, Actor{})
	w.isFor(jane.ID, &app, Actor{}, "prompt=none")
	w.isFor(john.ID, &app, Actor{}, "login_hint=john.doe")
	w.isFor(john.ID, &app, Actor{}, "login_hint="+string(john.ID))
	w.isFor(john.ID, &app, Actor{}, "login_hint=john sandbox")
	w.cannot(LoginRequired, &app, Actor{}, "login_hint=nobody")
	w.cannot(LoginRequired, &app, Actor{}, "login_hint=jane") // a real account
	w.cannot(LoginRequired, &w.C1, Actor{})                   // a real app
	w.cannot(LoginRequired, &w.C1, Actor{}, "login_hint=jane.doe")
	// A browser is asked, here too.
	w.needs(NeedSignIn, &app, Actor{Interactive: true})
	w.needs(NeedConsent, &app, Actor{Interactive: true, SignedIn: w.signedIn(jane)})
	// Who carries a session speaks for it, unless another is named.
	w.cannot(ConsentRequired, &app, Actor{SignedIn: w.signedIn(w.U1)})
	w.isFor(jane.ID, &app, Actor{SignedIn: w.signedIn(w.U1)}, "login_hint=jane.doe")
	w.cannot(LoginRequired, &app, Actor{SignedIn: w.signedIn(w.U1)}, "login_hint=nobody")

	// What was read is good for as long as the feed is, and no longer.
	w.store.FailNext("Accounts", storetest.Lost)
	w.isFor(jane.ID, &app, Actor{})
	time.Sleep(w.Engine.cfg.FeedBound)
	w.cannot(Unavailable, &app, Actor{})

	w.run("a real account as the sandbox's", func(t *testing.T) {
		w.cfg.SandboxAccount = w.U1.ID
		w.start()
		w.cannot(LoginRequired, &app, Actor{})
	})
	w.run("a disabled account", func(t *testing.T) {
		w.cfg.SandboxAccount = jane.ID
		w.start()
		w.disable(jane.ID)
		w.cannot(LoginRequired, &app, Actor{})
	})
	w.run("a server that is no sandbox", func(t *testing.T) {
		w.cfg.Sandbox = false
		w.start()
		w.cannot(LoginRequired, &app, Actor{})
		w.cannot(LoginRequired, &app, Actor{}, "login_hint=john.doe")
	})
}

// RFC8707, B31: what was allowed for one API does not count for another.
func TestConsentIsRememberedByAPI(t *testing.T) {
	w := newWorld(t)
	who := w.allowing()
	w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID, Now: w.clock.Now()})
	w.clock.pass(time.Second)
	who.Allowed, who.Chosen = false, ""
	const one, other = "resource=https://one.test", "resource=https://other.test"
	needs := func(want Need, who Actor, changes ...string) *Authorization {
		t.Helper()
		answer, err := w.Authorize(w.ctx, w.request(&w.C1, changes...), who)
		w.ok(err)
		if answer.Need != want {
			t.Fatalf("%q needs %d, want %d", changes, answer.Need, want)
		}
		return answer
	}
	needs(NeedConsent, who, one)
	allowed := who
	allowed.Allowed, allowed.Chosen = true, w.U1.ID
	needs(NeedNothing, allowed, one)
	needs(NeedNothing, who, one)
	if a := needs(NeedConsent, who, other); len(a.New) == 0 {
		t.Error("nothing is said to be new")
	}
	needs(NeedConsent, who, one, "+"+other)
	needs(NeedConsent, who) // anywhere
	needs(NeedNothing, allowed)
	needs(NeedNothing, who)
	needs(NeedNothing, who, other)

	// An API caller gets the code for whoever has allowed it there.
	w.end(symbolon.End{Account: w.U1.ID, Client: w.C1.ID, Now: w.clock.Now()})
	w.clock.pass(time.Second)
	allowed.SignedIn = w.signedIn(w.U1)
	needs(NeedNothing, allowed, one)
	caller := Actor{SignedIn: w.signedIn(w.U2, w.U1)}
	if a := needs(NeedNothing, caller, one); a.Account.ID != w.U1.ID {
		t.Errorf("the code is for %s", a.Account.ID)
	}
	_, err := w.Authorize(w.ctx, w.request(&w.C1, other), caller)
	w.refused(err, ConsentRequired)
}
