package metrics

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

// A store that is counted is a store like any other.
func TestStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) symbolon.Store { return New(Build{}).Store(storetest.NewMemory(), nil) })
}

// fixed is a store whose every call has the same outcome.
type fixed struct {
	symbolon.Store
	connect symbolon.ConnectOutcome
	refresh symbolon.RefreshOutcome
	ended   int
	err     error
}

func (f *fixed) Apps(context.Context, symbolon.AppQuery) ([]symbolon.App, error) { return nil, f.err }
func (f *fixed) Connect(context.Context, symbolon.Connect) (symbolon.ConnectOutcome, error) {
	return f.connect, f.err
}
func (f *fixed) Refresh(context.Context, symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	return f.refresh, f.err
}
func (f *fixed) End(context.Context, symbolon.End) (int, error) { return f.ended, f.err }

// Every outcome that an operator must see is counted under its own name, and a
// device code that is asked for again is no replay.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	f := new(fixed)
	m := New(Build{})
	s, ctx := m.Store(f, nil), t.Context()
	for _, f.refresh.Result = range []symbolon.RefreshResult{symbolon.Rotated, symbolon.RefreshReplayed, symbolon.CaughtUp, 200, 0} {
		if _, err := s.Refresh(ctx, symbolon.Refresh{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, spare := range []bool{false, true, true} {
		f.connect = symbolon.CodeReplayed
		if _, err := s.Connect(ctx, symbolon.Connect{Spare: spare}); err != nil {
			t.Fatal(err)
		}
	}
	for _, f.ended = range []int{0, 1, 5} {
		if n, err := s.End(ctx, symbolon.End{}); n != f.ended || err != nil {
			t.Fatal(n, err)
		}
	}
	for _, f.err = range []error{
		symbolon.Errorf(symbolon.Busy, "x", ""), fmt.Errorf("y: %w", symbolon.Errorf(symbolon.Unknown, "x", "")), context.Canceled,
	} {
		for range 2 {
			if _, err := s.Apps(ctx, symbolon.AppQuery{}); err != f.err { //nolint:errorlint // the very same
				t.Errorf("the error is %v, want %v", err, f.err)
			}
		}
		f.refresh.Result = symbolon.RefreshReplayed
		if _, err := s.Refresh(ctx, symbolon.Refresh{}); err != f.err { //nolint:errorlint // the very same
			t.Errorf("the error is %v, want %v", err, f.err)
		}
	}
	has(t, m,
		`symbolon_refreshes_total{result="rotated"} 1`,
		`symbolon_refreshes_total{result="replayed"} 1`,
		`symbolon_refreshes_total{result="caught_up"} 1`,
		`symbolon_refreshes_total{result="ended"} 0`,
		`symbolon_connects_total{result="replayed"} 1`,
		`symbolon_connects_total{result="repeated"} 2`,
		`symbolon_ends_total 2`,
		`symbolon_store_calls_total{outcome="busy",verb="apps"} 2`,
		`symbolon_store_calls_total{outcome="unknown",verb="apps"} 2`,
		`symbolon_store_calls_total{outcome="internal",verb="apps"} 2`,
		`symbolon_store_calls_total{outcome="ok",verb="refresh"} 5`,
		`symbolon_store_call_duration_seconds_count{verb="refresh"} 8`,
	)
}

// There is a verb for each method of the interface, in its order.
func TestVerbs(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[symbolon.Store]()
	if methods.NumMethod() != int(verbs) {
		t.Errorf("%d verbs for %d methods", verbs, methods.NumMethod())
	}
	names := make(map[string]bool)
	for v := range verbs {
		names[strings.ReplaceAll(v.String(), "_", "")] = true
	}
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; !names[strings.ToLower(name)] {
			t.Errorf("there is no verb for %s", name)
		}
	}
}

// Each call has a span of its own verb, which ends with its error.
func TestCallsAreTraced(t *testing.T) {
	t.Parallel()
	type key struct{}
	var ended []string
	trace := func(ctx context.Context, v Verb) (context.Context, func(error)) {
		return context.WithValue(ctx, key{}, v), func(err error) { ended = append(ended, fmt.Sprint(v, err)) }
	}
	seen := &spied{Store: storetest.NewMemory(), look: func(ctx context.Context) {
		if v, _ := ctx.Value(key{}).(Verb); v != callApps {
			t.Errorf("the store is called within the span of %v", v)
		}
	}}
	s := New(Build{}).Store(seen, trace)
	_, err := s.Apps(t.Context(), symbolon.AppQuery{Limit: 1})
	if err != nil || len(ended) != 1 || ended[0] != "apps <nil>" {
		t.Errorf("%v: spans %v", err, ended)
	}
}

type spied struct {
	symbolon.Store
	look func(context.Context)
}

func (s *spied) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	s.look(ctx)
	return s.Store.Apps(ctx, q)
}

// Counting a call leaves nothing for the collector.
func TestCallsAllocateNothing(t *testing.T) {
	f := &fixed{refresh: symbolon.RefreshOutcome{Result: symbolon.Rotated}}
	s := New(Build{}).Store(f, nil)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Refresh(ctx, symbolon.Refresh{}) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkStore(b *testing.B) {
	f := &fixed{refresh: symbolon.RefreshOutcome{Result: symbolon.Rotated}}
	for name, s := range map[string]symbolon.Store{"bare": f, "counted": New(Build{}).Store(f, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Refresh(b.Context(), symbolon.Refresh{Now: time.Time{}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
