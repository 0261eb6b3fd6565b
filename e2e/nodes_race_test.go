//go:build linux

package e2e

import (
	"sync"
	"testing"
)

// releaseAt sends n requests to each of two nodes at one instant, and returns all
// answers.
func releaseAt(t testing.TB, bursts [2]*burst, n int, request func(s *server) string) []*reply {
	t.Helper()
	var replies [2][]*reply
	var both sync.WaitGroup
	for i, b := range bursts {
		both.Go(func() { replies[i] = b.release(t, many(n, request(b.s))) })
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return append(replies[0], replies[1]...)
}

// B2, C21: a code that is sent to two nodes at one instant, or brought twice by a
// proxy, works once, and what it made is over at both.
func TestNodesRedeemOneCode(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, newDatabase(t))
	bursts := [2]*burst{nodes[0].newBurst(t, 128), nodes[1].newBurst(t, 128)}
	a := nodes[0].theApp()
	b := a.at(nodes[1])
	sizes := []int{1, 2, 8, 32, 128}
	for round := range rounds(25, 1000) {
		code := a.code(t)
		n := sizes[round%len(sizes)]
		var won []tokens
		for _, r := range releaseAt(t, bursts, n, func(s *server) string { return s.postText("/token", a.redemption(code)) }) {
			if r.Status == 200 {
				won = append(won, r.tokens())
			} else {
				refused(t, r, 400, "invalid_grant")
			}
		}
		if len(won) != 1 {
			t.Fatalf("round %d: of %d, %d were answered with tokens", round, 2*n, len(won))
		}
		a.over(t, won[0])
		b.over(t, won[0])
	}
}

// B39, C33, C20: a refresh token that is sent to two nodes at one instant, or again
// and again, has one successor.
func TestNodesRefreshOneToken(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	nodes := startNodes(t, 2, database)
	bursts := [2]*burst{nodes[0].newBurst(t, 32), nodes[1].newBurst(t, 32)}
	for name, a := range map[string]*app{"an app with a secret": nodes[0].theApp(), "a public app": nodes[0].newApp(t, "https://spa.test/cb", "--public", "--database", database)} {
		t.Run(name, func(t *testing.T) {
			tk := a.connect(t)
			for round := range rounds(25, 500) {
				next := ""
				for i, r := range releaseAt(t, bursts, 32, func(s *server) string { return s.postText("/refresh", a.refreshing(tk.refresh)) }) {
					if r.Status != 200 {
						t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
					}
					if got := r.tokens().refresh; i > 0 && got != next {
						t.Fatalf("round %d: two successors", round)
					} else {
						next = got
					}
				}
				if next == tk.refresh {
					t.Fatalf("round %d: not rotated", round)
				}
				// Three more times, at either: the same, and nothing is ended.
				for n := range 3 {
					if got := granted(t, a.at(nodes[n%2]).refresh(t, tk.refresh)); got.refresh != next {
						t.Fatalf("round %d: asked again, it has another successor", round)
					}
				}
				tk.refresh = next
			}
			a.at(nodes[1]).alive(t, granted(t, a.refresh(t, tk.refresh)))
		})
	}
}
