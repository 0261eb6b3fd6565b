package symbolon

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCleanLabel(t *testing.T) {
	for typed, want := range map[string]string{
		"":                            "",
		"  my  shop\t":                "my shop",
		"two\nlines":                  "two lines",
		"a\u202eb\u2066c\u200bd":      "abcd",
		"\x00\x1b[31mred":             "[31mred",
		"\xff\xfe":                    "",
		"👩\u200d👧":                    "👩\u200d👧",
		strings.Repeat("ž", 70):       strings.Repeat("ž", MaxLabel),
		strings.Repeat("x ", 70):      strings.TrimSpace(strings.Repeat("x ", MaxLabel/2)),
		`"><script>alert(1)</script>`: `"><script>alert(1)</script>`, // text; the page escapes it
	} {
		got := CleanLabel(typed)
		if got != want || CheckLabel("test", got) != nil {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestAddressesKeepTheirWidth(t *testing.T) {
	for _, text := range []string{"192.0.2.1", "2001:db8::1", "::1", "127.0.0.1"} {
		a := netip.MustParseAddr(text)
		b := AppendAddress(nil, a)
		if len(b) != 16 || AddressOf(b) != a {
			t.Errorf("%s: %x, read as %v", text, b, AddressOf(b))
		}
	}
	if b := AppendAddress(nil, netip.Addr{}); len(b) != 16 || AddressOf(b).IsValid() || AddressOf(nil).IsValid() || AddressOf([]byte{1, 2, 3, 4}).IsValid() {
		t.Error("what is no address is read as one")
	}
}

func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	for _, e := range []Event{
		{Type: EventEnded, Connection: NewConnectionID(time.Now()), Why: string(ByApp)},
		{Type: EventFailing, Why: "\"quoted\" \\ žluťoučký"},
	} {
		d := NewEvent("app", "account", e, time.UnixMilli(1))
		var got Event
		if err := got.UnmarshalText(d.Body); err != nil || got != e {
			t.Errorf("%s: %+v, %v", d.Body, got, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"type":"other"}`, `{"type":"connection.ended","connection":"zz"}`, `{"type":"connection.ended","connection":"00"}`} {
		if KindOf(new(Event).UnmarshalText([]byte(bad))) != Invalid {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestWhatAWebhookIsToldOf(t *testing.T) {
	var none *Webhook
	if none.Mask() != 0 || len(none.Kinds()) != 0 {
		t.Error("no webhook is told of something")
	}
	all := (&Webhook{}).Kinds()
	if len(all) != len(EventKinds())-1 || slices.Contains(all, EventRefreshed) {
		t.Errorf("by default it is told of %v", all)
	}
	if m := (&Webhook{Events: []EventKind{EventReplayed, "unknown"}}).Mask(); m != EventReplayed.Bit() || m == 0 {
		t.Errorf("mask %b", m)
	}
}
