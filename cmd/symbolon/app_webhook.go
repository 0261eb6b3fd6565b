package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/webhook"
)

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
