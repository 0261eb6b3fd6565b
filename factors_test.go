package symbolon

import (
	"reflect"
	"testing"
	"time"
)

func TestFactors(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123).UTC()
	full := Factors{
		App: &AuthenticatorApp{Secret: []byte{1, 2}, Step: 5, AddedAt: at}, Recovery: [][]byte{{1}, {2}}, Missed: 3, MissedAt: at,
		Passkeys: []Passkey{{ID: []byte{1}, Key: []byte{2}, Name: "Phone", Count: 1, Synced: true, Copied: true, Transports: []string{"internal"}, Model: []byte{3}, AddedAt: at, UsedAt: at}},
	}
	for name, f := range map[string]Factors{
		"all of it": full, "nothing": {}, "an app": {App: full.App}, "a passkey": {Passkeys: full.Passkeys},
	} {
		text, err := f.AppendText(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Factors
		if err := back.UnmarshalText(text); err != nil || back.App != nil && !reflect.DeepEqual(back.App, f.App) || len(back.Recovery) != len(f.Recovery) || len(back.Passkeys) != len(f.Passkeys) || back.Missed != f.Missed || !back.MissedAt.Equal(f.MissedAt) {
			t.Errorf("%s: %s becomes %+v, %v", name, text, back, err)
		}
		if f.Empty() && len(text) > 0 {
			t.Errorf("%s takes room: %s", name, text)
		}
	}
	// A time is kept in whole milliseconds, and what was given is not changed.
	fine := Factors{App: &AuthenticatorApp{Secret: []byte{1}, AddedAt: at.Add(time.Microsecond)}}
	text, _ := fine.AppendText(nil)
	var back Factors
	if back.UnmarshalText(text) != nil || !back.App.AddedAt.Equal(at) || fine.App.AddedAt.Equal(at) {
		t.Errorf("%v %v", back.App.AddedAt, fine.App.AddedAt)
	}
	for _, bad := range []string{"x", "{", "[]", `{"app":{}}`, `{"missed":-1}`, `{"passkeys":[{"id":"AQ=="}]}`, `{"passkeys":[{"key":"AQ=="}]}`} {
		if err := back.UnmarshalText([]byte(bad)); KindOf(err) != Invalid || !back.Empty() {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if got := full.Kinds(); !reflect.DeepEqual(got, []string{"app", "recovery", "passkey"}) {
		t.Errorf("%q", got)
	}
}

func FuzzFactors(f *testing.F) {
	for _, s := range []string{"", "{}", `{"app":{"secret":"AQI=","step":5,"added_at":"2026-11-27T00:00:00Z"},"recovery":["AQ=="]}`, `{"passkeys":[{"id":"AQ==","key":"Ag==","name":"x"}]}`, "[[[["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, b Factors
		if a.UnmarshalText([]byte(text)) != nil {
			if !a.Empty() {
				t.Error("what is refused is something")
			}
			return
		}
		out, err := a.AppendText(nil)
		if err != nil {
			return // a year that JSON cannot say
		}
		if err := b.UnmarshalText(out); err != nil || b.Empty() != a.Empty() {
			t.Errorf("%s becomes %s: %v", text, out, err)
		}
	})
}
