package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// RunTrail holds the trails that open returns to the contract of symbolon.Trail. Each
// subtest opens a fresh, empty one, which open closes by t.Cleanup.
func RunTrail(t *testing.T, open func(t testing.TB) symbolon.Trail) {
	for name, run := range trailCases {
		t.Run(name, func(t *testing.T) {
			run(&trailWorld{TB: t, Trail: open(t), now: time.UnixMilli(1_800_000_000_000).UTC()})
		})
	}
}

// trailWorld is an empty trail, and how many entries were made.
type trailWorld struct {
	testing.TB
	symbolon.Trail
	now time.Time
	n   int
}

const mill, other symbolon.ClientID = "sym_app_mill", "sym_app_other"

// entry returns an entry that nothing else is like.
func (w *trailWorld) entry(client symbolon.ClientID, bucket symbolon.TrailBucket, code string) symbolon.TrailEntry {
	w.n++
	return symbolon.TrailEntry{
		RequestID: fmt.Sprintf("REQUEST%04d", w.n), At: w.now, Micros: 1234, Client: client, Bucket: bucket, Account: "jane", Connection: strings.Repeat("ab", 16),
		Endpoint: "token", Route: "/token", Method: "POST", Address: "192.0.2.1", Status: 400, Error: code, Reason: code, Description: "It is “so”.",
		Sent: []symbolon.TrailValue{{In: "body", Name: "code", Masked: true, Length: 40, Kind: "text", Notes: []string{"ends with white space"}}, {In: "body", Name: "scope", Value: "a\u0000b\\u0000"}},
		More: 2,
		Why:  &symbolon.Explanation{Check: "the verifier", Source: "RFC 7636 §4.6", Compared: []symbolon.Comparison{{What: "x", Expected: []string{"a", "b"}, Came: "c"}}, Facts: []string{"f"}, Mend: "m"},
	}
}

func (w *trailWorld) record(keep int, entries ...symbolon.TrailEntry) {
	w.Helper()
	if err := w.Record(w.Context(), entries, keep); err != nil {
		w.Fatal(err)
	}
}

// ids returns the request ids that a query selects.
func (w *trailWorld) ids(q symbolon.TrailQuery) []string {
	w.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	list, err := w.Trail.Trail(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, strings.TrimLeft(strings.TrimPrefix(e.RequestID, "REQUEST"), "0"))
	}
	return ids
}

func (w *trailWorld) want(q symbolon.TrailQuery, ids ...string) {
	w.Helper()
	if got := w.ids(q); !reflect.DeepEqual(got, ids) {
		w.Fatalf("%+v: got %v, want %v", q, got, ids)
	}
}

var trailCases = map[string]func(w *trailWorld){
	"an empty trail has nothing": func(w *trailWorld) {
		w.want(symbolon.TrailQuery{Client: mill})
		w.want(symbolon.TrailQuery{RequestID: "x"})
	},
	"an entry comes back as it was": func(w *trailWorld) {
		e := w.entry(mill, symbolon.ProvenApp, "invalid_grant")
		w.record(5, e)
		list, err := w.Trail.Trail(w.Context(), symbolon.TrailQuery{RequestID: e.RequestID, Limit: 2})
		if err != nil || len(list) != 1 {
			w.Fatal(list, err)
		}
		if list[0].ID == 0 {
			w.Fatal("it has no id")
		}
		e.ID = list[0].ID
		if !reflect.DeepEqual(list[0], e) {
			w.Fatalf("got  %+v\nwant %+v", list[0], e)
		}
	},
	"the latest first; errors only; after and before one": func(w *trailWorld) {
		w.record(9, w.entry(mill, 1, ""), w.entry(mill, 2, "x"), w.entry(other, 1, "x"), w.entry(mill, 1, "y"))
		w.want(symbolon.TrailQuery{Client: mill}, "4", "2", "1")
		w.want(symbolon.TrailQuery{Client: mill, Failed: true}, "4", "2")
		w.want(symbolon.TrailQuery{Client: mill, Limit: 1}, "4")
		list, _ := w.Trail.Trail(w.Context(), symbolon.TrailQuery{Client: mill, Limit: 9})
		w.want(symbolon.TrailQuery{Client: mill, After: list[1].ID}, "4")
		w.want(symbolon.TrailQuery{Client: mill, Before: list[1].ID}, "1")
		w.want(symbolon.TrailQuery{Client: other}, "3")
	},
	"what names no app is nobody's, whatever it names": func(w *trailWorld) {
		w.record(9, w.entry(mill, symbolon.NamedNoApp, "invalid_client"))
		w.want(symbolon.TrailQuery{Client: mill})
		w.want(symbolon.TrailQuery{}, "1")
	},
	"what succeeded is kept by endpoint, in an eighth of the room": func(w *trailWorld) {
		for range 4 {
			info := w.entry(mill, symbolon.ProvenApp, "")
			info.Endpoint = "info"
			w.record(16, info)
			if w.n == 1 {
				w.record(16, w.entry(mill, symbolon.ProvenApp, ""))
			}
		}
		w.want(symbolon.TrailQuery{Client: mill}, "5", "4", "2")
	},
	"the last of each app, bucket and outcome are kept: no flood pushes out others": func(w *trailWorld) {
		w.record(3, w.entry(mill, symbolon.ProvenApp, "x"), w.entry(mill, symbolon.ProvenApp, ""), w.entry(other, symbolon.NamedApp, "x"), w.entry("", symbolon.NamedNoApp, "x"))
		for range 4 {
			var flood []symbolon.TrailEntry
			for range 5 {
				flood = append(flood, w.entry(mill, symbolon.NamedApp, "x"))
			}
			w.record(3, flood...)
		}
		w.want(symbolon.TrailQuery{Client: mill}, "24", "23", "22", "2", "1")
		w.want(symbolon.TrailQuery{Client: other}, "3")
		w.want(symbolon.TrailQuery{}, "4")
		w.record(2, w.entry(mill, symbolon.NamedApp, "x")) // fewer are kept from now on
		w.want(symbolon.TrailQuery{Client: mill}, "25", "24", "2", "1")
	},
	"all together have a bound, and what is too old goes": func(w *trailWorld) {
		w.record(1_000_000, w.entry(mill, symbolon.ProvenApp, "old"))
		w.now = w.now.Add(symbolon.TrailLife + time.Second)
		w.record(1_000_000, w.entry(other, symbolon.ProvenApp, "x"))
		room := symbolon.TrailBytes[symbolon.NamedNoApp]
		long := strings.Repeat("x", 500)
		for sent := 0; sent < room*3; {
			var flood []symbolon.TrailEntry
			for range 200 {
				e := w.entry("", symbolon.NamedNoApp, "x")
				for range 10 {
					e.Sent = append(e.Sent, symbolon.TrailValue{In: "body", Name: "scope", Value: long})
				}
				text, err := e.Encode()
				if err != nil || len(text) > symbolon.MaxTrailEntry {
					w.Fatal(len(text), err)
				}
				sent += len(text)
				flood = append(flood, e)
			}
			w.record(1_000_000, flood...)
		}
		got := 0
		list, err := w.Trail.Trail(w.Context(), symbolon.TrailQuery{Limit: 1_000_000})
		if err != nil {
			w.Fatal(err)
		}
		for i := range list {
			text, _ := list[i].Encode()
			got += len(text)
		}
		if most := room + 2*symbolon.TrailCheckEvery + 200*symbolon.MaxTrailEntry; got > most || got < room/2 {
			w.Fatalf("%d bytes of nobody's are kept, want at most %d", got, most)
		}
		w.want(symbolon.TrailQuery{Client: other}, "2")
		w.want(symbolon.TrailQuery{Client: mill})
	},
	"a query of nothing is invalid": func(w *trailWorld) {
		_, err := w.Trail.Trail(w.Context(), symbolon.TrailQuery{Client: mill})
		if symbolon.KindOf(err) != symbolon.Invalid {
			w.Fatal(err)
		}
	},
}
