package admin

import (
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
	"github.com/symbolon/symbolon/webhook"
)

// WebhookSecret makes the secret of an app's webhook that has none, or another one where
// the edit asks for it, and returns it, to be shown once; otherwise nothing. It comes after
// Apply, with the app whose id is already there.
func (c *AppEdit) WebhookSecret(ring *seal.Ring, app *symbolon.App, now time.Time) (string, error) {
	if hook := app.Settings.Webhook; hook == nil || len(hook.Secret) > 0 && !c.RotateWebhookSecret {
		return "", nil
	}
	return webhook.NewSecret(ring, app, now)
}
