package web

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/storetest"
)

// An operator adds a scope, in two languages; people read it, owners may give it, and
// clients find it in the metadata. Then it is changed, and taken away.
func TestConsoleScopes(t *testing.T) {
	a := newAdminWorld(t)
	b := a.at(jane)
	offered := func() bool {
		t.Helper()
		_, page := b.get(appAddress(symbolon.ClientID(a.johns)))
		return strings.Contains(page, `name="scope.reports.read"`)
	}
	listed := func() bool {
		t.Helper()
		if d := a.handler.described.Load(); d != nil { // as if it were read long ago
			old := *d
			old.read = old.read.Add(-scopesFor)
			a.handler.described.Store(&old)
		}
		resp, m := a.call(t, "GET", "/.well-known/oauth-authorization-server", nil)
		if resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
		return slices.Contains(listOf(m["scopes_supported"]), "reports.read")
	}
	if offered() || listed() {
		t.Fatal("the scope is there before it was added")
	}
	_, page := b.get("/console/scopes")
	wants(t, page, "Add a scope")
	wants(t, page, `name="sentence_cs"`)
	resp, page := b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "reports.read", "sentence", "see your reports", "sentence_cs", "vidět vaše přehledy")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %.800s", resp.StatusCode, page)
	}
	wants(t, page, "see your reports")
	wants(t, page, `href="/console/scopes?name=reports.read#h-scope"`)
	if !offered() || !listed() {
		t.Error("the scope is not there after it was added")
	}
	said, err := a.handler.admin.Said(t.Context())
	check(t, err)
	p := a.handler.Pages
	if text, err := p.speech.byLang["cs"].scope(scopeView(said, "reports.read", false)); err != nil || !strings.Contains(string(text), "vidět vaše přehledy") {
		t.Errorf("in Czech: %q, %v", text, err)
	}
	// It is changed, and the other language left out.
	_, page = b.get("/console/scopes?name=reports.read")
	wants(t, page, "Change <bdi>reports.read</bdi>")
	wants(t, page, `value="see your reports"`)
	wants(t, page, `value="vidět vaše přehledy"`)
	b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "reports.read", "sentence", "read your reports", "sentence_cs", "")
	rows, err := a.store.Scopes(t.Context())
	if check(t, err); !reflect.DeepEqual(rows, []symbolon.Scope{{Name: "reports.read", Description: "read your reports"}}) {
		t.Errorf("%v is stored", rows)
	}
	// A language that the pages do not speak is left as the admin API set it.
	check(t, a.handler.admin.SetScope(t.Context(), admin.Actor{Operator: true}, "", symbolon.Scope{Name: "reports.read", Description: "read your reports", Local: map[string]string{"de": "Ihre Berichte lesen"}}))
	_, page = b.get("/console/scopes?name=reports.read")
	b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "reports.read", "sentence", "see your reports")
	if rows, err = a.store.Scopes(t.Context()); err != nil || len(rows) != 1 || rows[0].Description != "see your reports" || rows[0].Local["de"] == "" {
		t.Errorf("%v is stored, %v", rows, err)
	}
	// What is wrong is said, and what was typed stays.
	_, page = b.get("/console/scopes")
	resp, page = b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "two names", "sentence", "a sentence kept")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, `value="a sentence kept"`) || !strings.Contains(page, "not the name of one scope") {
		t.Errorf("two names: %d %.600s", resp.StatusCode, page)
	}
	if resp, page = b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "openid", "sentence", "do nothing much"); resp.StatusCode != http.StatusConflict {
		t.Errorf("a scope of the configuration: %d %.600s", resp.StatusCode, page)
	}
	// An old sign-in is not enough.
	_, page = b.get("/console/scopes?name=reports.read")
	a.age(b, jane, consoleFresh+time.Minute)
	if _, text := b.send("/console/scopes", page, "action", "remove", "tag", tagOf(t, page), "name", "reports.read"); !strings.Contains(text, "password") {
		t.Errorf("an old sign-in is not asked for anew: %.300s", text)
	}
	if rows, err = a.store.Scopes(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("%v is stored, %v", rows, err)
	}
	b = a.at(jane)
	_, page = b.get("/console/scopes?name=reports.read")
	b.send("/console/scopes", page, "action", "remove", "tag", tagOf(t, page), "name", "reports.read")
	if offered() || listed() {
		t.Error("the scope is there after it was taken away")
	}
	// Who adds a scope that is there, and who changes what is not what it was, hears so.
	_, page = b.get("/console/scopes")
	b.send("/console/scopes", page, "action", "save", "tag", tagOf(t, page), "name", "reports.read", "sentence", "see one")
	for _, tag := range []string{tagOf(t, page), "", "nonsense"} {
		if resp, text := b.send("/console/scopes", page, "action", "save", "tag", tag, "name", "reports.read", "sentence", "see two"); resp.StatusCode != http.StatusConflict || !strings.Contains(text, `value="see two"`) {
			t.Errorf("with %q: %d %.600s", tag, resp.StatusCode, text)
		}
	}
	if rows, err = a.store.Scopes(t.Context()); err != nil || len(rows) != 1 || rows[0].Description != "see one" {
		t.Errorf("%v is stored, %v", rows, err)
	}
}

// tagOf is what stands for what was said of the scope in a page's form.
func tagOf(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="tag" value="([0-9a-z]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no tag in %.900s", page)
	}
	return found[1]
}

// The metadata is served as it was while the store is away, to all but one at once, and a
// client that went away has no say in what the next one reads.
func TestMetadataWhileTheStoreIsAway(t *testing.T) {
	f := newFixture(t)
	stale := func() {
		d := *f.handler.described.Load()
		d.read = d.read.Add(-scopesFor)
		f.handler.described.Store(&d)
	}
	listed := func(ctx context.Context) bool {
		t.Helper()
		body, err := f.handler.describe(ctx)
		check(t, err)
		return bytes.Contains(body, []byte(`"reports.read"`))
	}
	check(t, f.store.PutScope(t.Context(), symbolon.Scope{}, symbolon.Scope{Name: "reports.read", Description: "x"}))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if !listed(gone) {
		t.Error("nothing is read for a client that went away")
	}
	faulty := storetest.NewFaulty(f.store)
	f.handler.admin.Store = faulty
	stale()
	faulty.FailNext("Scopes", storetest.Unanswered)
	if !listed(t.Context()) {
		t.Error("what was there is lost when the store is away")
	}
	// It is looked at again in a second, not in ten.
	d := *f.handler.described.Load()
	if left := d.read.Add(scopesFor).Sub(f.handler.Engine.Now()); left > time.Second || left < 0 {
		t.Errorf("it is looked at again in %v", left)
	}
	// One waits for a store that hangs; the others do not.
	f.handler.admin.Store = hanging{Store: f.store}
	stale()
	var slow atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			began := time.Now()
			if !listed(t.Context()) {
				t.Error("what was there is lost while the store hangs")
			}
			if time.Since(began) > 500*time.Millisecond {
				slow.Add(1)
			}
		})
	}
	all.Wait()
	if n := slow.Load(); n > 2 {
		t.Errorf("%d of 20 waited", n)
	}
}

// hanging is a store that never says what operators said.
type hanging struct{ symbolon.Store }

func (hanging) Scopes(ctx context.Context) ([]symbolon.Scope, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
