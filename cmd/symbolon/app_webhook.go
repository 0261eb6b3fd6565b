package main

import (
	"fmt"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/webhook"
)

// applyWebhook makes the changes to an app's webhook that were named.
func (c *settingFlags) applyWebhook(s *symbolon.Settings, changed *bool) error {
	if c.WebhookURL != nil {
		*changed = true
		if *c.WebhookURL == "" {
			s.Webhook = nil
		} else {
			h := symbolon.Webhook{}
			if s.Webhook != nil {
				h = *s.Webhook
			}
			h.URL = *c.WebhookURL
			s.Webhook = &h
		}
	}
	list := listFlag(c.WebhookEvents)
	if s.Webhook == nil {
		if len(list) > 0 || c.WebhookRotate {
			return mend(fmt.Errorf("the app has no webhook"), "add --webhook-url URL")
		}
		return nil
	}
	if list != nil {
		kinds, err := webhook.ParseKinds(list)
		if err != nil {
			return mend(fmt.Errorf("--webhook-event: there is no such event"), "the events are %s", strings.Join(eventNames(), ", "))
		}
		h := *s.Webhook
		h.Events, s.Webhook, *changed = kinds, &h, true
	}
	*changed = *changed || c.WebhookRotate
	return nil
}

// eventNames are the kinds of events, as the flag takes them.
func eventNames() []string {
	var names []string
	for _, kind := range symbolon.EventKinds() {
		names = append(names, strings.TrimPrefix(string(kind), "connection."))
	}
	return names
}

// webhookSecret makes the secret of a webhook that has none, or another one where it was
// asked for, and returns it, to be shown once; otherwise nothing.
func (c *settingFlags) webhookSecret(sh *shell, d *desk, app *symbolon.App) (string, error) {
	if app.Settings.Webhook == nil || len(app.Settings.Webhook.Secret) > 0 && !c.WebhookRotate {
		return "", nil
	}
	keys, err := d.store.Keys(sh.ctx, nil, false)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", mend(fmt.Errorf("there are no keys yet by which the webhook's secret could be kept"), "start the server once, which makes them")
	}
	opened, err := findRoot(d.dir, c.RootKeyFile, sh.env).ringsOf(keys)
	if err != nil {
		return "", err
	}
	return webhook.NewSecret(opened.sealing, app, d.clock.Now())
}

// remarkWebhook says what to do with the secret that was just shown.
func remarkWebhook(sh *shell, secret string) {
	if secret != "" {
		fmt.Fprintln(sh.stdout, "\nThe webhook's secret is not shown again: put it where the messages are checked.")
	}
}
