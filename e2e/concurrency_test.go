//go:build linux

package e2e

import (
	"math/rand/v2"
	"testing"
)

// rounds is how often a race is run: as often as the issue says, or more.
func rounds(usual, patient int) int {
	if long {
		return patient
	}
	return usual
}

// RFC6749-4.1.2-d, OAUTH21-4.1.3-a, B2: a code works once, whatever happens at
// the same instant.
func TestConcurrentRedemption(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	b := d.newBurst(t, 256)
	for round := range rounds(200, 1000) {
		code := a.code(t)
		replies := b.release(t, many(256, d.postText("/token", a.redemption(code))))
		var won []tokens
		for _, r := range replies {
			switch {
			case r.Status == 200:
				won = append(won, r.tokens())
			case r.Status != 400 || r.text("error") != "invalid_grant":
				t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
			}
		}
		if len(won) != 1 {
			t.Fatalf("round %d: %d redemptions succeeded", round, len(won))
		}
		// The others were replays that pass every check: the connection is over.
		if r := d.info(t, won[0].access); r.Status != 401 {
			t.Fatalf("round %d: the access token is honoured after a replay: %d", round, r.Status)
		}
		if r := a.refresh(t, won[0].refresh); r.Status != 400 || r.text("error") != "invalid_grant" {
			t.Fatalf("round %d: the refresh token is honoured after a replay: %d %s", round, r.Status, r.Body)
		}
	}
}

// B3: redemptions that fail a check neither win nor end anything.
func TestConcurrentMixedRedemption(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	b := d.newBurst(t, 64)
	for round := range rounds(25, 200) {
		verifier, challenge := pkce()
		other, _ := pkce()
		for _, valid := range []int{1, 32} {
			code := a.code(t, "code_challenge", challenge, "code_challenge_method", "S256")
			requests := many(64, d.postText("/token", a.redemption(code, "code_verifier", other)))
			copy(requests, many(valid, d.postText("/token", a.redemption(code, "code_verifier", verifier))))
			rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
			var won []tokens
			for _, r := range b.release(t, requests) {
				switch {
				case r.Status == 200:
					won = append(won, r.tokens())
				case r.Status != 400 || r.text("error") != "invalid_grant":
					t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
				}
			}
			if len(won) != 1 {
				t.Fatalf("round %d: %d redemptions succeeded", round, len(won))
			}
			if valid == 1 {
				a.alive(t, won[0]) // 63 wrong verifiers ended nothing
			} else {
				a.over(t, won[0])
			}
		}
	}
}

// SYM-RT-1, B39: refreshes at one instant all get 200 and one successor.
func TestConcurrentRefresh(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	for name, a := range map[string]*app{"an app with a secret": d.theApp(), "a public app": d.newApp(t, "https://spa.test/cb", "--public")} {
		t.Run(name, func(t *testing.T) {
			b := d.newBurst(t, 64)
			tk := a.connect(t)
			for round := range rounds(60, 500) {
				var next tokens
				for i, r := range b.release(t, many(64, d.postText("/refresh", a.refreshing(tk.refresh)))) {
					if r.Status != 200 {
						t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
					}
					if got := r.tokens(); i == 0 {
						next = got
					} else if got.refresh != next.refresh {
						t.Fatalf("round %d: two successors", round)
					}
				}
				if next.refresh == tk.refresh {
					t.Fatalf("round %d: not rotated", round)
				}
				tk = next
			}
			a.alive(t, tk)
		})
	}
}

// B43: predecessor and successor at one instant. One chain lives, or none.
func TestConcurrentPredecessor(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	b := d.newBurst(t, 32)
	for round := range rounds(40, 500) {
		r0 := a.connect(t).refresh
		r1 := granted(t, a.refresh(t, r0)).refresh
		requests := append(many(16, d.postText("/refresh", a.refreshing(r0))), many(16, d.postText("/refresh", a.refreshing(r1)))...)
		successors := [2]map[string]bool{{}, {}}
		ended := false
		for i, r := range b.release(t, requests) {
			switch {
			case r.Status == 200:
				successors[i/16][r.tokens().refresh] = true
			case r.Status == 400 && r.text("error") == "invalid_grant":
				ended = true
			default:
				t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
			}
		}
		if len(successors[0]) > 1 || len(successors[1]) > 1 {
			t.Fatalf("round %d: siblings: %d and %d", round, len(successors[0]), len(successors[1]))
		}
		if len(successors[0]) == 1 && !successors[0][r1] {
			t.Fatalf("round %d: the predecessor got another successor", round)
		}
		for r2 := range successors[1] {
			r := a.refresh(t, r2)
			if ended != (r.Status == 400) {
				t.Fatalf("round %d: a replay was refused: %v; then the successor: %d %s", round, ended, r.Status, r.Body)
			}
		}
	}
}

// SYM-RT-6, B42: refresh against invalidate. When both are answered, nothing of
// the connection is alive.
func TestConcurrentRefreshAndInvalidate(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	b := d.newBurst(t, 3)
	for round := range rounds(400, 2000) {
		tk := a.connect(t)
		requests := []string{
			d.postText("/refresh", a.refreshing(tk.refresh)),
			d.getText("/invalidate", tk.access),
			d.postText("/refresh", a.refreshing(tk.refresh)),
		}
		live := []tokens{tk}
		for i, r := range b.release(t, requests) {
			switch {
			case i != 1 && r.Status == 200:
				live = append(live, r.tokens())
			case i != 1 && r.Status == 400 && r.text("error") == "invalid_grant":
			case i == 1 && r.Status == 204:
			default:
				t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
			}
		}
		for _, tk := range live {
			if r := d.info(t, tk.access); r.Status != 401 {
				t.Fatalf("round %d: an access token lives: %d", round, r.Status)
			}
			if r := a.refresh(t, tk.refresh); r.Status != 400 {
				t.Fatalf("round %d: a refresh token lives: %d %s", round, r.Status, r.Body)
			}
		}
	}
}

// Redemption against invalidate and replay: three ways at once.
func TestConcurrentInvalidate(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	b := d.newBurst(t, 16)
	for round := range rounds(40, 500) {
		tk := a.connect(t)
		ended := 0
		for _, r := range b.release(t, many(16, d.getText("/invalidate", tk.access))) {
			switch r.Status {
			case 204:
				ended++
			case 401:
			default:
				t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
			}
		}
		if ended != 1 {
			t.Fatalf("round %d: %d callers ended one connection", round, ended)
		}
		a.over(t, tk)
	}
}
