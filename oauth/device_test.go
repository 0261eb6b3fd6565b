package oauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
	"pgregory.net/rapid"
)

func TestDeviceAuthorization(t *testing.T) {
	w := newWide(t)
	w.run("RFC8628-3.1-a", func(t *testing.T) {
		w.begun(&w.D1)
		_, err := w.device(&w.D1, "client_id=sym_app_nope")
		w.refused(err, UnknownClient)
		_, err = w.device(&w.D1, "-client_id")
		w.refused(err, InvalidRequest)
		_, err = w.device(&w.C1)
		w.refused(err, UnauthorizedClient)
		for _, name := range slices.Concat(deviceNames, []string{"resource"}) { // B68
			_, err := w.device(&w.D1, "-"+name, "%"+name+"=%ff")
			w.refused(err, InvalidRequest)
			if name != "resource" {
				_, err = w.device(&w.D1, name+"=a", "+"+name+"=b")
				w.refused(err, InvalidRequest)
			}
		}
		// CLIENTS-14: an app with a secret need not send it here; a wrong one is
		// refused all the same, and the token endpoint asks for it.
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantDevice} })
		d := w.allowed(&w.C2)
		_, err = w.device(&w.C2, "client_secret=wrong")
		w.refused(err, InvalidClient)
		_, err = w.device(&w.C2, "client_secret="+w.secrets[w.C2.ID])
		w.ok(err)
		_, err = w.poll(&w.C2, d, "-client_secret")
		w.refused(err, InvalidClient)
		a, err := w.poll(&w.C2, d)
		w.ok(err)
		if a.RefreshToken != "" {
			t.Error("an app that may not refresh got a refresh token")
		}
	})
	w.run("RFC8628-3.2-a", func(t *testing.T) {
		d := w.begun(&w.D1)
		if d.ExpiresIn != 600 || d.Interval != 5 || len(d.UserCode) != 9 || d.UserCode[4] != '-' || NormalUserCode(d.UserCode) != strings.Replace(d.UserCode, "-", "", 1) {
			t.Errorf("%+v", d)
		}
		for change, want := range map[string]Refusal{"scope=admin": InvalidScope, "scope=connect,read": InvalidScope, "resource=" + r3: InvalidTarget, "authorization_details=x": InvalidDetails} {
			_, err := w.device(&w.D1, change)
			w.refused(err, want)
		}
	})
	w.run("RFC8628-5.2-a", func(t *testing.T) {
		seen := make(map[string]bool)
		for range 20 {
			d := w.begun(&w.D1)
			if len(d.DeviceCode) < 43 || seen[d.DeviceCode] || seen[d.UserCode] {
				t.Errorf("%+v", d)
			}
			seen[d.DeviceCode], seen[d.UserCode] = true, true
			w.clock.pass(time.Minute) // which is what the limits are by
		}
		letters := make(map[rune]int)
		for range 40_000 {
			code := newUserCode()
			if len(code) != userCodeLen || NormalUserCode(code) != code {
				t.Fatal(code)
			}
			for _, r := range code {
				letters[r]++
			}
		}
		for _, r := range userCodeLetters { // 16,000 times each, with a deviation of 123
			if n := letters[r]; n < 15_300 || n > 16_700 {
				t.Errorf("%c came %d times of 320,000", r, n)
			}
		}
	})
	w.run("B86", func(t *testing.T) {
		w.clock.pass(2 * time.Minute)
		ask := func(address string) error {
			p, _ := ParseForm("client_id=" + string(w.D1.ID))
			req := ReadDevice(&p, Credentials{Address: address})
			_, err := w.AuthorizeDevice(w.ctx, &req)
			return err
		}
		for range devicesLimit {
			w.ok(ask("192.0.2.9"))
		}
		for range 2 * devicesInAll { // a flood from one address shuts no other out
			if e := w.refused(ask("192.0.2.9"), TooManyRequests); e.RetryAfter <= 0 {
				t.Fatal("no time to come again")
			}
		}
		w.ok(ask("192.0.2.10"))
		// And all addresses together are bounded: each code is a row.
		n := devicesLimit + 1
		for i := 0; n < 2*devicesInAll; i++ {
			if err := ask(fmt.Sprintf("198.51.%d.%d", i/250, i%250)); err != nil {
				w.refused(err, TooManyRequests)
				break
			}
			n++
		}
		if n != devicesInAll {
			t.Errorf("%d device codes in a minute", n)
		}
		w.clock.pass(time.Minute)
		w.ok(ask("192.0.2.9"))
	})
}

func TestDeviceToken(t *testing.T) {
	w := newWide(t)
	w.run("RFC8628-3.4-a", func(t *testing.T) {
		w.edit(w.C2.ID, func(a *symbolon.App) { a.Settings.Grants = []symbolon.GrantType{symbolon.GrantDevice} })
		d := w.allowed(&w.D1)
		_, err := w.poll(&w.C2, d)
		w.refused(err, InvalidGrant)
		for _, change := range []string{"device_code=nonsense", "device_code=" + d.DeviceCode + "x", "device_code=" + d.UserCode} {
			_, err = w.poll(&w.D1, d, change)
			w.refused(err, InvalidGrant)
		}
		for _, change := range []string{"-device_code", "device_code="} {
			_, err = w.poll(&w.D1, d, change)
			w.refused(err, InvalidRequest)
		}
		a, err := w.poll(&w.D1, d) // none of it spent it
		w.ok(err)
		if a.Scope != "connect" || a.Grant.Account != w.U1.ID || a.Grant.Name != w.U1.Name {
			t.Errorf("%+v", a)
		}
		w.alive(a)
		w.alive(w.refreshed(&w.D1, a.RefreshToken))
		_, err = w.poll(&w.C1, d)
		w.refused(err, UnauthorizedClient)
	})
	w.run("RFC8628-3.5-a", func(t *testing.T) {
		d := w.begun(&w.D1)
		poll := func(want Refusal) {
			t.Helper()
			_, err := w.poll(&w.D1, d)
			w.refused(err, want)
		}
		poll(AuthorizationPending)
		w.clock.pass(5 * time.Second)
		poll(AuthorizationPending) // at its interval
		w.clock.pass(5*time.Second - time.Millisecond)
		poll(SlowDown) // too early: 10 s from now on
		w.clock.pass(10*time.Second - time.Millisecond)
		poll(SlowDown) // 15 s
		w.clock.pass(15 * time.Second)
		poll(AuthorizationPending)
		w.clock.pass(14 * time.Second)
		poll(SlowDown) // 20 s: it lasts
		w.clock.pass(19 * time.Second)
		poll(SlowDown)
		w.clock.pass(25 * time.Second)
		poll(AuthorizationPending)
		// Another device is not slowed by it.
		other := w.begun(&w.D1)
		_, err := w.poll(&w.D1, other)
		w.refused(err, AuthorizationPending)

		denied := w.begun(&w.D1)
		w.ok(w.answer(denied, false))
		for range 2 {
			_, err = w.poll(&w.D1, denied)
			w.refused(err, AccessDenied)
		}
		w.clock.pass(10 * time.Minute)
		poll(ExpiredToken)
		late := w.begun(&w.D1)
		w.ok(w.answer(late, true))
		w.clock.pass(10 * time.Minute)
		_, err = w.poll(&w.D1, late)
		w.refused(err, ExpiredToken)
	})
	w.run("RFC8628-3.5-b", func(t *testing.T) {
		d := w.begun(&w.D1)
		for range 10 {
			w.poll(&w.D1, d)
		}
		w.ok(w.answer(d, true))
		a, err := w.poll(&w.D1, d) // far too early
		w.ok(err)
		w.alive(a)
	})
	w.run("RFC8628-3.5-c", func(t *testing.T) {
		nodes := w.nodes()
		for range 20 {
			w.clock.pass(time.Minute)
			d := w.allowed(&w.D1)
			req := w.calling(&w.D1, "grant_type="+string(symbolon.GrantDevice), "device_code="+d.DeviceCode)
			answers, errs := make([]*TokenResponse, 64), make([]error, 64)
			atOnce(64, func(i int) { answers[i], errs[i] = nodes[i%2].Token(w.ctx, req) })
			ok, refused := won(w, answers, errs)
			if len(ok) != 1 || refused[InvalidGrant] != 63 {
				t.Fatalf("%d got tokens, refused %v", len(ok), refused)
			}
			w.ok(w.feed.Poll(w.ctx))
			w.alive(ok[0]) // it asks again and again by its nature: nothing is ended
			w.refreshed(&w.D1, ok[0].RefreshToken)
			_, err := w.poll(&w.D1, d)
			w.refused(err, InvalidGrant)
		}
	})
	w.run("RFC8628-3.3-a", func(t *testing.T) {
		for name, event := range map[string]func(w *wide){
			"disabled":      func(w *wide) { w.disable(w.U1.ID) },
			"deleted":       func(w *wide) { w.end(symbolon.End{Account: w.U1.ID, Delete: true}) },
			"withdrawn":     func(w *wide) { w.end(symbolon.End{Account: w.U1.ID, Client: w.D1.ID}) },
			"password":      func(w *wide) { w.end(symbolon.End{Account: w.U1.ID}) },
			"of the app":    func(w *wide) { w.end(symbolon.End{Client: w.D1.ID}) },
			"at the moment": func(w *wide) { w.clock.pass(-time.Second); w.disable(w.U1.ID) }, // allowed had passed it
		} {
			w := newWide(t)
			d := w.allowed(&w.D1)
			event(w)
			if a, err := w.poll(&w.D1, d); err == nil {
				t.Errorf("%s: %+v", name, a)
			} else {
				w.refused(err, InvalidGrant)
			}
		}
		w := newWide(t)
		d := w.begun(&w.D1)
		w.disable(w.U1.ID)
		pending, err := w.Device(w.ctx, d.UserCode, w.U1.ID, "")
		w.ok(err)
		w.refused(w.Answer(w.ctx, pending, w.signedIn(w.U1)[0], true), AccessDenied)
		_, err = w.poll(&w.D1, d)
		w.refused(err, AuthorizationPending)
		// The app is kept from the grant, or from a scope, while the person reads.
		d = w.begun(&w.D1, "scope=connect read")
		pending, err = w.Device(w.ctx, d.UserCode, w.U2.ID, "")
		w.ok(err)
		w.ok(w.Answer(w.ctx, pending, w.signedIn(w.U2)[0], true))
		w.edit(w.D1.ID, func(a *symbolon.App) { a.Scope = symbolon.Scopes{"connect"} })
		w.clock.pass(time.Second)
		a, err := w.poll(&w.D1, d)
		w.ok(err)
		if a.Scope != "connect" {
			t.Errorf("%q", a.Scope)
		}
	})
	w.run("resources and details", func(t *testing.T) {
		w.clock.pass(time.Minute)
		d := w.allowed(&w.D1, "scope=connect read write", "resource="+r1, "+resource="+r2, `authorization_details=[{"type":"file","identifier":"x"}]`)
		_, err := w.poll(&w.D1, d, "resource="+r3)
		w.refused(err, InvalidTarget)
		a, err := w.poll(&w.D1, d, "resource="+r2)
		w.ok(err)
		if a.Scope != "connect write" || a.Details != `[{"type":"file","identifier":"x"}]` || !slices.Equal(a.Grant.Resource, []string{r2}) {
			t.Errorf("%+v", a)
		}
	})
}

// What the person in front of the device's code sees and says.
func TestDeviceAnswer(t *testing.T) {
	w := newWide(t)
	look := func(typed string, account symbolon.AccountID, address string) (*PendingDevice, error) {
		return w.Device(w.ctx, typed, account, address)
	}
	w.run("RFC8628-6.1-a", func(t *testing.T) {
		d := w.begun(&w.D1, "scope=connect read", `authorization_details=[{"type":"file","identifier":"x"}]`)
		code := strings.Replace(d.UserCode, "-", "", 1)
		for _, typed := range []string{d.UserCode, code, strings.ToLower(code), code[:3] + " - " + code[3:], " " + code + ".", strings.Join(strings.Split(code, ""), "_"), code[:4] + "\u2013" + code[4:]} {
			p, err := look(typed, w.U1.ID, "")
			w.ok(err)
			if p.App.ID != w.D1.ID || p.Scope.String() != "connect read" || len(p.Details) != 1 || p.Details[0] != "read x" {
				t.Errorf("%+v", p)
			}
		}
		for _, typed := range []string{"", code[:7], code + "B", code + "!", "AAAAAAAA", "BCDFGHJ1", strings.Repeat("B", 1000), "ＢＣＤＦ" + code[4:], code[:7] + "\x00"} {
			if NormalUserCode(typed) != "" && typed != code {
				t.Errorf("%q could be a code", typed)
			}
		}
	})
	w.run("the first answer counts", func(t *testing.T) {
		for _, first := range []bool{true, false} {
			w.clock.pass(time.Minute)
			d := w.begun(&w.D1)
			one, err := look(d.UserCode, w.U1.ID, "")
			w.ok(err)
			two, err := look(d.UserCode, w.U2.ID, "")
			w.ok(err)
			w.clock.pass(time.Second)
			w.ok(w.Answer(w.ctx, one, w.signedIn(w.U1)[0], first))
			w.refused(w.Answer(w.ctx, two, w.signedIn(w.U2)[0], !first), InvalidGrant) // C23
			w.refused(w.Answer(w.ctx, one, w.signedIn(w.U1)[0], !first), InvalidGrant)
			_, err = look(d.UserCode, w.U1.ID, "")
			w.refused(err, InvalidGrant)
			w.clock.pass(time.Second)
			a, err := w.poll(&w.D1, d)
			if !first {
				w.refused(err, AccessDenied)
				continue
			}
			w.ok(err)
			if a.Grant.Account != w.U1.ID {
				t.Error("the second answer counted")
			}
		}
	})
	w.run("in the very millisecond of an end", func(t *testing.T) {
		w.clock.pass(time.Minute)
		d := w.begun(&w.D1)
		w.end(symbolon.End{Account: w.U1.ID, Client: w.D1.ID})
		if e := w.refused(w.answer(d, true), Unavailable); e.RetryAfter <= 0 {
			t.Error("no time to answer again")
		}
		w.clock.pass(time.Millisecond)
		w.ok(w.answer(d, true))
		a, err := w.poll(&w.D1, d)
		w.ok(err)
		w.alive(a)
	})
	w.run("its time", func(t *testing.T) {
		w.clock.pass(time.Minute)
		d := w.begun(&w.D1)
		w.clock.pass(10*time.Minute - time.Millisecond)
		_, err := look(d.UserCode, w.U1.ID, "")
		w.ok(err)
		w.clock.pass(time.Millisecond)
		_, err = look(d.UserCode, w.U1.ID, "")
		w.refused(err, InvalidGrant)
	})
	w.run("RFC8628-5.1-a", func(t *testing.T) {
		guess := func(i int) string {
			code := []byte("BBBBBBBB")
			for at := 7; i > 0; at-- {
				code[at] = userCodeLetters[i%20]
				i /= 20
			}
			return string(code)
		}
		for who, tt := range map[string][2]func(i int) (symbolon.AccountID, string){
			"one account from many addresses": {
				func(i int) (symbolon.AccountID, string) { return w.U1.ID, fmt.Sprintf("198.51.100.%d", i%200) },
				func(i int) (symbolon.AccountID, string) { return w.U2.ID, "203.0.113.9" },
			},
			"one address with many accounts": {
				func(i int) (symbolon.AccountID, string) { return symbolon.NewAccountID(), "198.51.100.1" },
				func(i int) (symbolon.AccountID, string) { return symbolon.NewAccountID(), "203.0.113.10" },
			},
		} {
			w.clock.pass(time.Hour)
			d := w.begun(&w.D1)
			looked := 0
			for i := range 2000 {
				account, address := tt[0](i)
				if i == triesLimit-1 { // one right one does not begin the count anew
					_, err := look(d.UserCode, account, address)
					w.ok(err)
				}
				_, err := look(guess(i), account, address)
				if storeError(err).Refusal == InvalidGrant {
					looked++
					continue
				}
				if e := w.refused(err, TooManyRequests); e.RetryAfter <= 0 || e.RetryAfter > 10*time.Minute {
					t.Fatalf("%s: %v", who, e.RetryAfter)
				}
			}
			if looked != triesLimit {
				t.Errorf("%s: %d codes were tried", who, looked)
			}
			// Who has guessed too often does not get in by a right one either.
			account, address := tt[0](0)
			_, err := look(d.UserCode, account, address)
			w.refused(err, TooManyRequests)
			account, address = tt[1](0)
			_, err = look(d.UserCode, account, address)
			w.ok(err)
			w.clock.pass(10 * time.Minute)
			d = w.begun(&w.D1)
			account, address = tt[0](0)
			_, err = look(d.UserCode, account, address)
			w.ok(err)
		}
	})
}

// Every call of the store failing in every way: 503, and no one is told that what
// may have happened did not.
func TestDeviceAndAStoreThatFails(t *testing.T) {
	unavailable := func(w *wide, fault storetest.Fault, err error) {
		w.Helper()
		if e := w.refused(err, Unavailable); e.RetryAfter <= 0 {
			w.Errorf("%s: no time to try again", fault)
		}
	}
	for _, fault := range storetest.Faults {
		t.Run(fault.String(), func(t *testing.T) {
			w := newWide(t)
			w.store.FailNext("Once", fault)
			_, err := w.device(&w.D1)
			unavailable(w, fault, err)
			d := w.begun(&w.D1)

			w.store.FailNext("Once", fault)
			_, err = w.Device(w.ctx, d.UserCode, w.U1.ID, "")
			unavailable(w, fault, err)
			second := 0
			w.store.Plan(func(verb string) storetest.Fault {
				if verb == "Once" {
					if second++; second == 2 {
						return fault
					}
				}
				return storetest.NoFault
			})
			_, err = w.Device(w.ctx, d.UserCode, w.U1.ID, "")
			unavailable(w, fault, err)
			pending, err := w.Device(w.ctx, d.UserCode, w.U1.ID, "")
			w.ok(err)

			w.store.FailNext("Once", fault)
			_, err = w.poll(&w.D1, d)
			unavailable(w, fault, err)
			w.clock.pass(time.Minute)

			w.store.FailNext("Allow", fault)
			unavailable(w, fault, w.Answer(w.ctx, pending, w.signedIn(w.U1)[0], true))
			_, err = w.poll(&w.D1, d)
			w.refused(err, AuthorizationPending)
			w.store.FailNext("Once", fault)
			unavailable(w, fault, w.Answer(w.ctx, pending, w.signedIn(w.U1)[0], true))
			if err := w.Answer(w.ctx, pending, w.signedIn(w.U1)[0], true); fault == storetest.Unanswered {
				w.refused(err, InvalidGrant) // it was answered
			} else {
				w.ok(err)
			}
			w.clock.pass(time.Second)

			w.store.FailNext("Once", fault)
			_, err = w.poll(&w.D1, d)
			unavailable(w, fault, err)
			w.store.FailNext("Connect", fault)
			_, err = w.poll(&w.D1, d)
			unavailable(w, fault, err)
			a, err := w.poll(&w.D1, d)
			if fault == storetest.Unanswered {
				// As with a code (C2): it is spent, and the person must be asked again.
				w.refused(err, InvalidGrant)
				return
			}
			w.ok(err)
			w.alive(a)
		})
	}
}

// The devices that are known are bounded, and nothing but who was too fast is
// lost with them.
func TestPollsAreBounded(t *testing.T) {
	p := newPolls()
	now := time.UnixMilli(1_790_000_000_000).UTC()
	for i := range 3 * maxPolls {
		until := now.Add(time.Minute)
		if i < maxPolls/2 {
			until = now // over
		}
		if p.tooFast(symbolon.NewConnectionID(now), until, now) {
			t.Fatal("the first request is too fast")
		}
		if len(p.next) > maxPolls {
			t.Fatalf("%d devices are known", len(p.next))
		}
	}
	// Only what is over is forgotten while there is room by it.
	p = newPolls()
	kept := symbolon.NewConnectionID(now)
	p.tooFast(kept, now.Add(time.Hour), now)
	for range 2 * maxPolls {
		p.tooFast(symbolon.NewConnectionID(now), now, now)
	}
	if !p.tooFast(kept, now.Add(time.Hour), now) {
		t.Error("a device that waits is forgotten in favour of those that are over")
	}
}

// FuzzNormalUserCode: what is a code stays itself, in any spelling; nothing else
// becomes one.
func FuzzNormalUserCode(f *testing.F) {
	for _, seed := range []string{"WDJB-MJHT", "wdjb mjht", "", "AAAAAAAA", "WDJBMJH\u212a", "WDJB\xffMJHT", "ſ", "----"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := NormalUserCode(typed)
		if code == "" {
			return
		}
		if len(code) != userCodeLen || strings.Trim(code, userCodeLetters) != "" || NormalUserCode(code) != code || NormalUserCode(strings.ToLower(code)) != code || !utf8.ValidString(typed) {
			t.Errorf("%q became %q", typed, code)
		}
		letters := 0
		for _, r := range typed {
			if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
				letters++
			}
		}
		if letters != userCodeLen {
			t.Errorf("%q has %d letters and became %q", typed, letters, code)
		}
	})
}

func TestNormalUserCode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := newUserCode()
		var typed strings.Builder
		for _, r := range code {
			typed.WriteString(rapid.SampledFrom([]string{"", " ", "-", "_", ".", "  "}).Draw(t, "between"))
			if rapid.Bool().Draw(t, "lower") {
				r += 'a' - 'A'
			}
			typed.WriteRune(r)
		}
		if NormalUserCode(typed.String()) != code {
			t.Errorf("%q is not %q", typed.String(), code)
		}
	})
}
