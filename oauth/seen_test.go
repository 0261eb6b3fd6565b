package oauth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestSeen(t *testing.T) {
	s := newSeen()
	token := func(i int) (string, *symbolon.AccessToken) {
		return fmt.Sprint("token ", i), &symbolon.AccessToken{Grant: symbolon.Grant{Name: fmt.Sprint(i)}}
	}
	text, one := token(1)
	s.keep(text, one, 7)
	if s.find(text, 7) != one || s.find(text, 8) != nil || s.find("token 2", 7) != nil {
		t.Error("a token is there for its own generation of keys only")
	}
	s.keep("late", one, 6)
	if s.find("late", 6) != nil || s.find("late", 7) != nil {
		t.Error("a token that was opened with earlier keys was kept")
	}
	s.keep("new", one, 8)
	if s.find(text, 8) != nil || s.find("new", 8) != one {
		t.Error("what was opened with earlier keys must be forgotten")
	}
	for i := range 3 * maxSeen {
		text, v := token(i)
		s.keep(text, v, 8)
		if s.find(text, 8) != v {
			t.Fatal("what was just put is not there")
		}
	}
	if n := len(s.recent) + len(s.older); n > 2*maxSeen {
		t.Errorf("%d tokens are held, want at most %d", n, 2*maxSeen)
	}
	if s.forget(); len(s.recent)+len(s.older) != 0 {
		t.Error("after a rest, tokens are still held")
	}
	s.keep("again", one, 8)
	if s.find("again", 8) != one {
		t.Error("after a rest, no token is kept any more")
	}
	long := strings.Repeat("x", maxSeenLen+1)
	if s.keep(long, one, 8); s.find(long, 8) != nil {
		t.Error("a long token was kept")
	}
}

// A token that was seen is refused like any other once it has expired, has
// ended, or its key is retired.
func TestSeenTokensStillDie(t *testing.T) {
	w := newWorld(t)
	first := w.connected(&w.C1)
	w.alive(first)
	w.alive(first) // from memory
	if w.Engine.seen.find(first.AccessToken, w.Engine.ring.Generation(w.clock.Now())+w.Engine.cfg.Signing.Generation(w.clock.Now())) == nil {
		t.Fatal("the token is not in memory, so this tests nothing")
	}
	w.clock.pass(w.Engine.cfg.AccessLifetime)
	_, err := w.Engine.Info(t.Context(), Bearer(first.AccessToken))
	w.refused(err, InvalidToken)

	second := w.connected(&w.C1)
	w.alive(second)
	if _, err := w.Engine.Invalidate(t.Context(), Bearer(second.AccessToken)); err != nil {
		t.Fatal(err)
	}
	_, err = w.Engine.Info(t.Context(), Bearer(second.AccessToken))
	w.refused(err, InvalidToken)
}
