package signin

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon"
)

func TestHashAndCheck(t *testing.T) {
	h, ctx := NewHasher(), t.Context()
	phc, err := h.Hash(ctx, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q has other parameters", phc)
	}
	other, err := h.Hash(ctx, "correct horse")
	if err != nil || other == phc {
		t.Errorf("the same password hashes alike: no salt (%v)", err)
	}
	for password, want := range map[string]bool{
		"correct horse":        true,
		"correct\u00a0horse":   true, // any space is a space
		"correct horsE":        false,
		"correct horse ":       false,
		"":                     false,
		"correct horse\x00":    false,
		strings.Repeat("x", 9): false,
	} {
		if ok, err := h.Check(ctx, phc, password); err != nil || ok != want {
			t.Errorf("Check(%q) = %v, %v; want %v", password, ok, err, want)
		}
	}
}

func TestPasswordIsNormalised(t *testing.T) {
	h := NewHasher()
	phc, err := h.Hash(t.Context(), "caf\u00e9 cr\u00e8me")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Check(t.Context(), phc, "cafe\u0301 cre\u0300me"); err != nil || !ok {
		t.Errorf("the same password, composed otherwise: %v, %v", ok, err)
	}
}

// A hash made elsewhere, with other parameters, is checked as it is.
func TestCheckOtherParameters(t *testing.T) {
	made := hash{cost: cost{memory: 64, time: 3, threads: 2}, salt: []byte("saltsalt")}
	made.tag = argon2.IDKey([]byte("short"), made.salt, 3, 64, 2, 24)
	h := NewHasher()
	if ok, err := h.Check(t.Context(), made.String(), "short"); err != nil || !ok {
		t.Errorf("right password: %v, %v", ok, err)
	}
	if ok, err := h.Check(t.Context(), made.String(), "shorT"); err != nil || ok {
		t.Errorf("wrong password: %v, %v", ok, err)
	}
	if _, err := h.Check(t.Context(), "$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$AAAA", "password"); symbolon.KindOf(err) != symbolon.Internal || err == nil {
		t.Errorf("a hash beyond bounds: %v", err)
	}
}

func TestHashRefuses(t *testing.T) {
	h := NewHasher()
	for name, password := range map[string]string{
		"short": "1234567", "short in characters": "éééé", "long": strings.Repeat("x", MaxPassword+1), "control": "pass\tword!",
	} {
		if _, err := h.Hash(t.Context(), password); err == nil || symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%s: %v, want an error of kind Invalid", name, err)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error tells the password", name)
		}
	}
}

// Ledger B51: an account that does not exist costs the same hash. What is
// compared is the work asked for, which is exact, and not the time.
func TestUnknownAccountCostsTheSame(t *testing.T) {
	h := NewHasher()
	var asked []cost
	derive := h.derive
	h.derive = func(password, salt []byte, c cost, size uint32) []byte {
		asked = append(asked, c)
		if len(salt) != 16 || size != 32 {
			t.Errorf("salt of %d and tag of %d bytes", len(salt), size)
		}
		return derive(password, salt, c, size)
	}
	phc, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, phc := range []string{phc, ""} {
		if ok, err := h.Check(t.Context(), phc, "wrong horse"); ok || err != nil {
			t.Errorf("Check = %v, %v", ok, err)
		}
	}
	if len(asked) != 3 || asked[1] != asked[0] || asked[2] != asked[0] {
		t.Errorf("asked for %+v, want three times the same", asked)
	}
}

// The dummy's tag is no one's: not even a password that hashes to it signs in.
func TestEmptyHashIsNeverRight(t *testing.T) {
	h := NewHasher()
	h.derive = func(_, _ []byte, _ cost, size uint32) []byte { return make([]byte, size) }
	if ok, err := h.Check(t.Context(), "", "anything"); ok || err != nil {
		t.Errorf("Check = %v, %v", ok, err)
	}
}

// Ledger B53: a flood runs as many hashes at a time as there are processors,
// lets a few wait, and refuses the rest at once.
func TestFloodIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher()
		var running, most atomic.Int64
		h.derive = func(_, _ []byte, _ cost, size uint32) []byte {
			now := running.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			time.Sleep(25 * time.Millisecond)
			running.Add(-1)
			return make([]byte, size)
		}
		var done, busy atomic.Int64
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				start := time.Now()
				_, err := h.Check(t.Context(), "", "password")
				switch {
				case err == nil:
					done.Add(1)
				case symbolon.KindOf(err) == symbolon.Busy:
					busy.Add(1)
					if waited := time.Since(start); waited != 0 {
						t.Errorf("refused only after %v", waited)
					}
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		slots := int64(runtime.GOMAXPROCS(0))
		if most.Load() != slots || done.Load() != slots+maxWaiting || busy.Load() != 500-slots-maxWaiting {
			t.Errorf("%d at a time, %d done, %d busy; want %d, %d, %d",
				most.Load(), done.Load(), busy.Load(), slots, slots+maxWaiting, 500-slots-maxWaiting)
		}
		// The flood over, nothing is held.
		if _, err := h.Check(t.Context(), "", "password"); err != nil || h.waiting.Load() != 0 {
			t.Errorf("afterwards: %v, %d waiting", err, h.waiting.Load())
		}
	})
}

// A password of a megabyte is refused before it is looked at, let alone hashed.
func TestLongPasswordCostsNothing(t *testing.T) {
	h := NewHasher()
	h.derive = func(_, _ []byte, _ cost, _ uint32) []byte { t.Error("hashed"); return nil }
	if ok, err := h.Check(t.Context(), phcSample, strings.Repeat("x", 1<<20)); ok || err != nil {
		t.Errorf("Check = %v, %v", ok, err)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher()
		hold := make(chan struct{})
		h.derive = func(_, _ []byte, _ cost, size uint32) []byte { <-hold; return make([]byte, size) }
		for range runtime.GOMAXPROCS(0) {
			go h.Check(t.Context(), "", "password")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := h.Check(ctx, "", "password"); err == nil || symbolon.KindOf(err) != symbolon.Busy {
			t.Errorf("error %v, want kind Busy", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v, want a second", waited)
		}
		close(hold)
	})
}

func BenchmarkCheck(b *testing.B) {
	h := NewHasher()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Check(b.Context(), "", "password"); err != nil {
			b.Fatal(err)
		}
	}
}
