package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// changeApp changes an app, and returns the secret of its webhook if one was made.
func (h *Handler) changeApp(ctx context.Context, who admin.Actor, id symbolon.ClientID, tag string, edit *admin.AppEdit) (app *symbolon.App, secret string, err error) {
	app, err = h.admin.EditApp(ctx, who, id, tag, func(app *symbolon.App) error {
		if _, _, err := edit.Apply(app); err != nil {
			return err
		}
		var err error
		secret, err = edit.WebhookSecret(h.Ring, app, h.Engine.Now())
		return err
	})
	return app, secret, err
}

// hookFields is an app's webhook as the form of it shows it.
func hookFields(app *symbolon.App) HookFields {
	hook := app.Settings.Webhook
	f := HookFields{There: hook != nil}
	if hook == nil {
		hook = &symbolon.Webhook{}
	}
	f.URL = hook.URL
	told := hook.Mask()
	for _, kind := range symbolon.EventKinds() {
		f.Events = append(f.Events, EventChoice{Name: eventName(kind), On: told&kind.Bit() != 0})
	}
	return f
}

func eventName(kind symbolon.EventKind) string {
	return strings.TrimPrefix(string(kind), "connection.")
}

// consoleHook changes an app's webhook by its form. Whoever may do it has just signed in:
// a webhook says where what happens to people's connections is told.
func (h *Handler) consoleHook(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, app *symbolon.App) error {
	typed := HookFields{There: app.Settings.Webhook != nil, URL: strings.TrimSpace(v.form.First("url"))}
	var events []string
	for _, kind := range symbolon.EventKinds() {
		name := eventName(kind)
		on := v.form.First("event."+name) != ""
		if on {
			events = append(events, name)
		}
		typed.Events = append(typed.Events, EventChoice{Name: name, On: on})
	}
	edit := admin.AppEdit{WebhookURL: &typed.URL, RotateWebhookSecret: v.form.First("rotate") != ""}
	var err error
	if typed.URL != "" {
		edit.WebhookEvents = &events
		if len(events) == 0 {
			err = &admin.Fault{Kind: symbolon.Invalid, Says: "tick an event at least, or take the webhook away: leave its URL empty"}
		}
	}
	if err == nil {
		changed, secret, editErr := h.changeApp(r.Context(), v.who, app.ID, v.form.First("tag"), &edit)
		if editErr == nil {
			ev.detail = "the webhook of an app was changed in the console"
			if secret == "" {
				return h.redirect(w, r, ev, appAddress(app.ID)+"#webhook")
			}
			page := h.secretPage(v, &admin.Created{App: changed, Secret: secret}, false)
			page.Webhook = true
			h.render(w, r, ev, http.StatusOK, page)
			return nil
		}
		err = editErr
	}
	problems, status, err := problemsOf(err)
	if err != nil {
		return consoleError(err)
	}
	return h.showConsoleApp(w, r, ev, v, app, typedApp{hook: &typed}, problems, status)
}
