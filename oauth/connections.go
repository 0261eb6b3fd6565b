package oauth

import "github.com/symbolon/symbolon"

// tells reports whether the webhook of an app is told of events of a kind.
func tells(app *symbolon.App, kind symbolon.EventKind) bool {
	return app.Settings.Webhook != nil && app.Settings.Webhook.Mask()&kind.Bit() != 0
}

// announced says that there may be something to tell apps.
func (e *Engine) announced() {
	if e.cfg.SignedOut != nil {
		e.cfg.SignedOut()
	}
}
