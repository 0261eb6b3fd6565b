package admin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/storetest"
)

func TestScopesOfOperators(t *testing.T) {
	ctx := t.Context()
	s := &Service{Store: storetest.NewMemory(), Scopes: []symbolon.Scope{{Name: "files.read", Description: "see your files"}, {Name: "files.read#cs", Description: "vidět vaše soubory"}}}
	operator := Actor{Operator: true}
	names := func() string {
		t.Helper()
		list, err := s.Offered(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, one := range list {
			all = append(all, one.Name)
		}
		return strings.Join(all, " ")
	}
	const ours = "connect files.read openid profile email address phone"
	if got := names(); got != ours {
		t.Fatalf("at first %q", got)
	}
	reports := symbolon.Scope{Name: "reports.read", Description: "see your reports", Local: map[string]string{"cs": "vidět vaše přehledy", "de": "Ihre Berichte sehen"}}
	if err := s.SetScope(ctx, operator, "", reports); err != nil {
		t.Fatal(err)
	}
	if got := names(); got != ours+" reports.read" {
		t.Errorf("then %q", got)
	}
	delete(reports.Local, "de") // what is not said again is over
	if err := s.SetScope(ctx, operator, "", reports); err != nil {
		t.Fatal(err)
	}
	said, err := s.Said(ctx)
	if got := said["reports.read"]; err != nil || got.Fixed || got.Description != reports.Description || len(got.Local) != 1 || got.Local["cs"] != reports.Local["cs"] {
		t.Errorf("%+v, %v", got, err)
	}
	if got := said["files.read"]; !got.Fixed || got.Local["cs"] != "vidět vaše soubory" {
		t.Errorf("%+v", got)
	}
	// The sentence of connect may be given, as it has one of ours only.
	if err := s.SetScope(ctx, operator, "", symbolon.Scope{Name: "connect", Description: "reach your things"}); err != nil {
		t.Error(err)
	}
	if said, err = s.Said(ctx); err != nil || said["connect"].Description != "reach your things" {
		t.Errorf("%+v, %v", said["connect"], err)
	}
	// What comes into the configuration is as it stands there, and gone with it.
	s.Scopes = append(s.Scopes, symbolon.Scope{Name: "reports.read", Description: "read reports"})
	if said, err = s.Said(ctx); err != nil || said["reports.read"].Description != "read reports" || !said["reports.read"].Fixed || len(said["reports.read"].Local) != 0 {
		t.Errorf("%+v, %v", said["reports.read"], err)
	}
	// An operator's word can be taken back even then.
	if err := s.RemoveScope(ctx, operator, "", "reports.read"); err != nil {
		t.Error(err)
	}
	s.Scopes = s.Scopes[:2]
	if got := names(); got != ours {
		t.Errorf("in the end %q", got)
	}
	for name, c := range map[string]struct {
		who   Actor
		scope symbolon.Scope
		want  symbolon.Kind
	}{
		"no operator":         {Actor{Account: "someone"}, symbolon.Scope{Name: "a", Description: "x"}, symbolon.Denied},
		"no sentence":         {operator, symbolon.Scope{Name: "a"}, symbolon.Invalid},
		"spaces":              {operator, symbolon.Scope{Name: "a", Description: " x"}, symbolon.Invalid},
		"two names":           {operator, symbolon.Scope{Name: "a b", Description: "x"}, symbolon.Invalid},
		"twice the name":      {operator, symbolon.Scope{Name: "a a", Description: "x"}, symbolon.Invalid},
		"a language":          {operator, symbolon.Scope{Name: "a#cs", Description: "x"}, symbolon.Invalid},
		"a quote":             {operator, symbolon.Scope{Name: `a"`, Description: "x"}, symbolon.Invalid},
		"a long name":         {operator, symbolon.Scope{Name: strings.Repeat("a", 101), Description: "x"}, symbolon.Invalid},
		"a long sentence":     {operator, symbolon.Scope{Name: "a", Description: strings.Repeat("č", 201)}, symbolon.Invalid},
		"turned text":         {operator, symbolon.Scope{Name: "a", Description: "x\u202ey"}, symbolon.Invalid},
		"two lines":           {operator, symbolon.Scope{Name: "a", Description: "x\ny"}, symbolon.Invalid},
		"English twice":       {operator, symbolon.Scope{Name: "a", Description: "x", Local: map[string]string{"en": "y"}}, symbolon.Invalid},
		"no language":         {operator, symbolon.Scope{Name: "a", Description: "x", Local: map[string]string{"CS": "y"}}, symbolon.Invalid},
		"nothing to see":      {operator, symbolon.Scope{Name: "a", Description: "\u3164 \u200b"}, symbolon.Invalid},
		"a flag":              {operator, symbolon.Scope{Name: "--help", Description: "x"}, symbolon.Invalid},
		"the refresh token's": {operator, symbolon.Scope{Name: "offline_access", Description: "x"}, symbolon.Denied},
		"nothing in one":      {operator, symbolon.Scope{Name: "a", Description: "x", Local: map[string]string{"cs": ""}}, symbolon.Invalid},
		"the admin API's":     {operator, symbolon.Scope{Name: "symbolon.admin", Description: "x"}, symbolon.Denied},
		"the configuration":   {operator, symbolon.Scope{Name: "files.read", Description: "x"}, symbolon.Conflict},
		"OpenID Connect":      {operator, symbolon.Scope{Name: "openid", Description: "x"}, symbolon.Conflict},
	} {
		if err := s.SetScope(ctx, c.who, "", c.scope); err == nil || symbolon.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if stored, err := s.Store.Scopes(ctx); err != nil || len(stored) != 1 {
		t.Errorf("%v is stored, %v", stored, err)
	}
	if err := s.RemoveScope(ctx, operator, "", "nothing"); symbolon.KindOf(err) != symbolon.NotFound {
		t.Errorf("of nothing: %v", err)
	}
	if err := s.RemoveScope(ctx, Actor{}, "", "connect"); symbolon.KindOf(err) != symbolon.Denied {
		t.Errorf("by nobody: %v", err)
	}
}

// A tag keeps one operator from writing over what another said meanwhile.
func TestScopeTags(t *testing.T) {
	ctx, operator := t.Context(), Actor{Operator: true}
	s := &Service{Store: storetest.NewMemory()}
	none := ScopeTag(&symbolon.Scope{})
	one := symbolon.Scope{Name: "a", Description: "one", Local: map[string]string{"cs": "jedna"}}
	if err := s.SetScope(ctx, operator, none, one); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{none, "nonsense", ScopeTag(&symbolon.Scope{Name: "a", Description: "one"})} {
		if err := s.SetScope(ctx, operator, tag, symbolon.Scope{Name: "a", Description: "two"}); err == nil || symbolon.KindOf(err) != symbolon.Conflict {
			t.Errorf("set with %q: %v", tag, err)
		}
		if err := s.RemoveScope(ctx, operator, tag, "a"); err == nil || symbolon.KindOf(err) != symbolon.Conflict {
			t.Errorf("removed with %q: %v", tag, err)
		}
	}
	given, err := s.given(ctx, "a")
	if err != nil || given.Description != "one" {
		t.Fatalf("%+v, %v", given, err)
	}
	if err := s.SetScope(ctx, operator, ScopeTag(&given), symbolon.Scope{Name: "a", Description: "two"}); err != nil {
		t.Error(err)
	}
}

// At the limit, what is there can be changed, and nothing is added.
func TestScopesAreBounded(t *testing.T) {
	ctx, operator := t.Context(), Actor{Operator: true}
	s := &Service{Store: storetest.NewMemory()}
	for i := range MaxScopes {
		if err := s.Store.PutScope(ctx, symbolon.Scope{}, symbolon.Scope{Name: fmt.Sprintf("s%d", i), Description: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetScope(ctx, operator, "", symbolon.Scope{Name: "s7", Description: "y", Local: map[string]string{"cs": "z"}}); err != nil {
		t.Error(err)
	}
	if err := s.SetScope(ctx, operator, "", symbolon.Scope{Name: "more", Description: "y"}); err == nil || symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("one more: %v", err)
	}
}

// behind is a store that shows what was there a moment ago.
type behind struct{ symbolon.Store }

func (behind) Scopes(context.Context) ([]symbolon.Scope, error) { return nil, nil }

// What another said between our reading and writing is a fault that people are told of.
func TestScopeChangedMeanwhile(t *testing.T) {
	m := storetest.NewMemory()
	if err := m.PutScope(t.Context(), symbolon.Scope{}, symbolon.Scope{Name: "a", Description: "another's"}); err != nil {
		t.Fatal(err)
	}
	err := (&Service{Store: behind{m}}).SetScope(t.Context(), Actor{Operator: true}, "", symbolon.Scope{Name: "a", Description: "ours"})
	if len(Faults(err)) != 1 || symbolon.KindOf(err) != symbolon.Conflict {
		t.Errorf("%v", err)
	}
}

// A sentence of the configuration in another language is not put beside an operator's.
func TestScopeHasOneAuthor(t *testing.T) {
	s := &Service{Store: storetest.NewMemory(), Scopes: []symbolon.Scope{{Name: "a#cs", Description: "staré"}, {Name: "email#cs", Description: "vidět vaši adresu"}}}
	if err := s.SetScope(t.Context(), Actor{Operator: true}, "", symbolon.Scope{Name: "a", Description: "new"}); err != nil {
		t.Fatal(err)
	}
	said, err := s.Said(t.Context())
	if err != nil || len(said["a"].Local) != 0 || said["email"].Local["cs"] == "" {
		t.Errorf("%+v, %+v, %v", said["a"], said["email"], err)
	}
}
