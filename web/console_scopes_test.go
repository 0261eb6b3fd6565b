package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
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
	resp, page := b.send("/console/scopes", page, "action", "save", "name", "reports.read", "sentence", "see your reports", "sentence_cs", "vidět vaše přehledy")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %.800s", resp.StatusCode, page)
	}
	wants(t, page, "see your reports")
	wants(t, page, `href="/console/scopes?name=reports.read#h-scope"`)
	if !offered() || !listed() {
		t.Error("the scope is not there after it was added")
	}
	said, err := a.handler.saidOfScopes(t.Context())
	check(t, err)
	p := a.handler.Pages
	if text, err := p.speech.byLang["cs"].scope(said.view("reports.read", false)); err != nil || !strings.Contains(string(text), "vidět vaše přehledy") {
		t.Errorf("in Czech: %q, %v", text, err)
	}
	// It is changed, and the other language left out.
	_, page = b.get("/console/scopes?name=reports.read")
	wants(t, page, "Change <bdi>reports.read</bdi>")
	wants(t, page, `value="see your reports"`)
	wants(t, page, `value="vidět vaše přehledy"`)
	b.send("/console/scopes", page, "action", "save", "name", "reports.read", "sentence", "read your reports", "sentence_cs", "")
	rows, err := a.store.Scopes(t.Context())
	if check(t, err); !slices.Equal(rows, []symbolon.Scope{{Name: "reports.read", Description: "read your reports"}}) {
		t.Errorf("%v is stored", rows)
	}
	// A language that the pages do not speak is left as the admin API set it.
	check(t, a.handler.admin.SetScope(t.Context(), admin.Actor{Operator: true}, admin.Scope{Name: "reports.read", Description: "read your reports", Local: map[string]string{"de": "Ihre Berichte lesen"}}))
	_, page = b.get("/console/scopes?name=reports.read")
	b.send("/console/scopes", page, "action", "save", "name", "reports.read", "sentence", "see your reports")
	if rows, err = a.store.Scopes(t.Context()); err != nil || len(rows) != 2 || rows[1].Name != "reports.read#de" {
		t.Errorf("%v is stored, %v", rows, err)
	}
	// What is wrong is said, and what was typed stays.
	_, page = b.get("/console/scopes")
	resp, page = b.send("/console/scopes", page, "action", "save", "name", "two names", "sentence", "a sentence kept")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, `value="a sentence kept"`) || !strings.Contains(page, "not the name of one scope") {
		t.Errorf("two names: %d %.600s", resp.StatusCode, page)
	}
	if resp, page = b.send("/console/scopes", page, "action", "save", "name", "openid", "sentence", "do nothing much"); resp.StatusCode != http.StatusConflict {
		t.Errorf("a scope of the configuration: %d %.600s", resp.StatusCode, page)
	}
	// An old sign-in is not enough.
	_, page = b.get("/console/scopes?name=reports.read")
	a.age(b, jane, consoleFresh+time.Minute)
	if _, text := b.send("/console/scopes", page, "action", "remove", "name", "reports.read"); !strings.Contains(text, "password") {
		t.Errorf("an old sign-in is not asked for anew: %.300s", text)
	}
	if rows, err = a.store.Scopes(t.Context()); err != nil || len(rows) != 2 {
		t.Errorf("%v is stored, %v", rows, err)
	}
	b = a.at(jane)
	_, page = b.get("/console/scopes?name=reports.read")
	b.send("/console/scopes", page, "action", "remove", "name", "reports.read")
	if offered() || listed() {
		t.Error("the scope is there after it was taken away")
	}
}
