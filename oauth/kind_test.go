package oauth

import (
	"strings"
	"testing"
)

// Whoever puts one kind of value in another's place is told which is which, and
// nothing of the value comes back.
func TestWrongKind(t *testing.T) {
	w := newWorld(t)
	code := w.code(&w.C1)
	tokens := w.connected(&w.C1)
	names := map[string]string{code: "an authorization code", tokens.AccessToken: "an access token", tokens.RefreshToken: "a refresh token"}
	for sent, name := range names {
		for _, c := range []struct {
			wanted string
			send   func() error
			as     Refusal
		}{
			{"an authorization code", func() error { _, err := w.redeem(&w.C1, sent); return err }, InvalidGrant},
			{"an access token", func() error { _, err := w.Info(t.Context(), Bearer(sent)); return err }, InvalidToken},
			{"a refresh token", func() error { _, err := w.refresh(&w.C1, sent); return err }, InvalidGrant},
		} {
			if c.wanted == name {
				continue
			}
			e := w.refused(c.send(), c.as)
			if want := "This is " + name + "; send " + c.wanted + "."; e.Description != want {
				t.Errorf("%q, want %q", e.Description, want)
			}
		}
	}
	for _, sent := range []string{"sym_at", "Bearer " + tokens.AccessToken, tokens.AccessToken[1:], tokens.AccessToken + "x"} {
		_, err := w.Info(t.Context(), Bearer(sent))
		if e := w.refused(err, InvalidToken); strings.HasPrefix(e.Description, "This is") || strings.Contains(e.Description, sent) {
			t.Errorf("%q for what is none of ours", e.Description)
		}
	}
}

func TestCommaInScope(t *testing.T) {
	const want = "The names in scope are separated by single spaces, not by commas."
	w := newWorld(t)
	_, err := w.Authorize(t.Context(), w.request(&w.C1, "scope=connect,read"), w.allowing())
	if e := w.refused(err, InvalidScope); e.Description != want {
		t.Errorf("step 1: %q", e.Description)
	}
	_, err = w.refresh(&w.C1, w.connected(&w.C1).RefreshToken, "scope=connect,read")
	if e := w.refused(err, InvalidScope); e.Description != want {
		t.Errorf("step 5: %q", e.Description)
	}
}
