package web

import (
	"net/http"
	"net/url"

	"github.com/symbolon/symbolon/oauth"
)

// FormPostPage brings the answer of step 2 to the app by a form that the browser
// posts, by a script or by the button (OAuth 2.0 Form Post Response Mode §2).
type FormPostPage struct {
	App AppView
	// RedirectURI is where the form goes, and Host whose that is.
	RedirectURI, Host string
	// Fields are the parameters of the answer.
	Fields []oauth.Field
	// Failed says that it is an error.
	Failed bool
}

func (*FormPostPage) template() string { return "form-post" }
func (*FormPostPage) headers() pageHeaders {
	return pageHeaders{Leads: true, Flow: true, Scripts: true, Once: true}
}

// callBack is step 2: it sends the browser to the app with the answer.
func (h *Handler) callBack(w http.ResponseWriter, r *http.Request, ev *event, c *oauth.Callback) error {
	ev.sent.back = true
	if !c.Mode.Posted() {
		return h.redirect(w, r, ev, c.URL())
	}
	p := &FormPostPage{App: NewAppView(c.App), RedirectURI: c.RedirectURI, Fields: c.Fields(), Failed: c.Error != ""}
	if u, err := url.Parse(c.RedirectURI); err == nil {
		p.Host = u.Host
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}
