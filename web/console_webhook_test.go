package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/webhook"
)

// signs reports whether an app's webhook signs with a secret that was shown.
func (a *adminWorld) signs(id, shown string) bool {
	a.t.Helper()
	t := webhook.Teller{Ring: a.handler.Ring, Store: a.store, Clock: symbolon.NewSteadyClock(time.Time{}), Subject: a.handler.Engine.SubjectOf}
	d := symbolon.NewEvent(symbolon.ClientID(id), jane, symbolon.Event{Type: symbolon.EventEnded, Why: "x"}, a.handler.Engine.Now())
	m, err := t.Message(a.t.Context(), &d)
	check(a.t, err)
	if m == nil {
		return false
	}
	secret, err := webhookKey(shown)
	check(a.t, err)
	want := webhook.Sign(secret, m.Header.Get("webhook-id"), m.Header.Get("webhook-timestamp"), m.Body)
	return strings.Contains(m.Header.Get("webhook-signature"), want)
}

func TestAdminAPIAnswersTheSecretOfAWebhookOnce(t *testing.T) {
	a := newAdminWorld(t)
	operator, owner, other := a.token("jane", "symbolon.admin", a.resource()), a.token("john", "symbolon.apps", a.resource()), a.token("mary", "symbolon.apps", a.resource())
	path := "/app?client_id=" + a.johns
	patch := func(body string, status int) map[string]any {
		t.Helper()
		resp, answer := a.ask(owner, "PATCH", path, body)
		return a.wants(body, resp, answer, status)
	}
	made := patch(`{"webhook_url":"https://hooks.example/x","webhook_events":["ended","connection.failing"],"one_connection":true}`, 200)
	first, _ := made["webhook_secret"].(string)
	if !strings.HasPrefix(first, "whsec_") || !a.signs(a.johns, first) || made["one_connection"] != true || len(made["webhook_events"].([]any)) != 2 {
		t.Fatalf("%v", made)
	}
	// It cannot be had a second time, by whomever.
	for _, token := range []string{owner, operator} {
		for _, where := range []string{path, "/apps"} {
			resp, answer := a.ask(token, "GET", where, "")
			if a.wants(where, resp, answer, 200); answer["webhook_secret"] != nil || strings.Contains(answered(answer), first) || strings.Contains(answered(answer), "webhook_secret") {
				t.Errorf("%v", answer)
			}
		}
	}
	if again := patch(`{"webhook_url":"https://hooks.example/y"}`, 200); again["webhook_secret"] != nil || !a.signs(a.johns, first) {
		t.Errorf("another address: %v", again)
	}
	second, _ := patch(`{"rotate_webhook_secret":true}`, 200)["webhook_secret"].(string)
	if second == "" || second == first || !a.signs(a.johns, second) || !a.signs(a.johns, first) {
		t.Error("after the rotation, messages are not signed by both")
	}
	resp, answer := a.ask(other, "PATCH", path, `{"webhook_url":"https://evil.example/","rotate_webhook_secret":true}`)
	a.wants("another's", resp, answer, 404)
	if app := a.theApp(a.johns); app.Settings.Webhook.URL != "https://hooks.example/y" || !a.signs(a.johns, second) {
		t.Errorf("%+v", app.Settings.Webhook)
	}
	for _, bad := range []string{`{"webhook_url":"ftp://x.example/"}`, `{"webhook_url":"https://u:p@x.example/"}`, `{"webhook_url":"javascript:x"}`, `{"webhook_events":["nonsense"]}`, `{"webhook_secret":"mine"}`} {
		patch(bad, 400)
	}
	if gone := patch(`{"webhook_url":"","rotate_webhook_secret":true}`, 200); gone["webhook_secret"] != nil || gone["webhook_url"] != nil || a.theApp(a.johns).Settings.Webhook != nil {
		t.Errorf("%v", gone)
	}
	patch(`{"rotate_webhook_secret":true}`, 400)
	// One that comes with the app has its secret in the same answer.
	resp, answer = a.ask(operator, "POST", "/apps", `{"name":"Hooked","redirect_uris":["https://a.example/cb"],"webhook_url":"https://hooks.example/z"}`)
	made = a.wants("a new app", resp, answer, 201)
	shown, _ := made["webhook_secret"].(string)
	if made["client_secret"] == nil || shown == "" || !a.signs(made["client_id"].(string), shown) {
		t.Errorf("%v", made)
	}
}

var hookShown = regexp.MustCompile(`<code>(whsec_[A-Za-z0-9+/&#;=]+)</code>`)

func TestConsoleShowsTheSecretOfAWebhookOnce(t *testing.T) {
	a := newAdminWorld(t)
	address := appAddress(symbolon.ClientID(a.johns))
	b, other := a.at(a.john.ID), a.at(a.mary.ID)
	form := func(page string, pairs ...string) (*http.Response, string) {
		t.Helper()
		tag := admin.Tag(a.theApp(a.johns))
		return b.send(address, page, append([]string{"action", "webhook", "tag", tag}, pairs...)...)
	}
	_, page := b.get(address)
	resp, shown := form(page, "url", " ftp://hooks.example/<x> ", "event.ended", "on")
	if resp.StatusCode != 400 || !strings.Contains(shown, "ftp://hooks.example/&lt;x&gt;") || a.theApp(a.johns).Settings.Webhook != nil {
		t.Errorf("%d %.2000s", resp.StatusCode, shown)
	}
	if resp, shown = form(page, "url", "https://hooks.example/x"); resp.StatusCode != 400 || !strings.Contains(shown, "Tick an event") {
		t.Errorf("without an event: %d", resp.StatusCode)
	}
	resp, shown = form(page, "url", "https://hooks.example/x", "event.ended", "on", "event.refreshed", "on")
	found := hookShown.FindStringSubmatch(shown)
	if resp.StatusCode != 200 || found == nil || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %.2000s", resp.StatusCode, shown)
	}
	first := strings.ReplaceAll(found[1], "&#43;", "+")
	if hook := a.theApp(a.johns).Settings.Webhook; !a.signs(a.johns, first) || len(hook.Events) != 2 {
		t.Errorf("%+v", hook)
	}
	_, page = b.get(address)
	if strings.Contains(page, "whsec_") {
		t.Error("the secret is shown a second time")
	}
	wants(t, page, `value="https://hooks.example/x"`)
	wants(t, page, `name="event.refreshed" type="checkbox" checked`)
	// A form of before changes nothing, and makes no secret.
	resp, shown = b.send(address, page, "action", "webhook", "tag", "old", "url", "https://hooks.example/old", "event.ended", "on", "rotate", "on")
	if resp.StatusCode != http.StatusConflict || strings.Contains(shown, "whsec_") {
		t.Errorf("an old form: %d", resp.StatusCode)
	}
	if resp, shown = form(page, "url", "https://hooks.example/y", "event.ended", "on"); resp.StatusCode != 200 || strings.Contains(shown, "whsec_") {
		t.Errorf("another address: %d", resp.StatusCode)
	}
	_, shown = form(page, "url", "https://hooks.example/y", "event.ended", "on", "rotate", "on")
	if found = hookShown.FindStringSubmatch(shown); found == nil || !a.signs(a.johns, strings.ReplaceAll(found[1], "&#43;", "+")) {
		t.Errorf("after the rotation: %.2000s", shown)
	}
	// Another owner, and who signed in long ago, change nothing.
	before := admin.Tag(a.theApp(a.johns))
	resp, _ = other.post(address, "flow", flowOf(t, func() string { _, p := other.get(appAddress(symbolon.ClientID(a.marys))); return p }()), "action", "webhook", "url", "https://evil.example/", "event.ended", "on", "rotate", "on")
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("another's: %d", resp.StatusCode)
	}
	a.age(b, a.john.ID, 16*time.Minute)
	_, page = b.get(address)
	resp, _ = b.post(address, "flow", flowOf(t, page), "action", "webhook", "tag", before, "url", "https://hooks.example/z", "event.ended", "on", "rotate", "on")
	if !strings.HasPrefix(resp.Header.Get("Location"), "/continue") || admin.Tag(a.theApp(a.johns)) != before {
		t.Errorf("signed in long ago: %d", resp.StatusCode)
	}
	a.age(b, a.john.ID, 0)
	// One connection for each account is a setting beside the others; then the webhook goes.
	app := a.theApp(a.johns)
	b.send(address, page, "action", "edit", "tag", before, "name", app.Name, "redirect_uris", app.RedirectURIs[0], "auth", "client_secret", "scope.connect", "on", "one", "on")
	if app = a.theApp(a.johns); !app.Settings.OneConnection || app.Settings.Webhook == nil {
		t.Errorf("%+v", app.Settings)
	}
	form(page, "url", "")
	if app = a.theApp(a.johns); app.Settings.Webhook != nil || !app.Settings.OneConnection {
		t.Errorf("%+v", app.Settings)
	}
}

// answered is an answer as text.
func answered(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func webhookKey(shown string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(shown, "whsec_"))
}
