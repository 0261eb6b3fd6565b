package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/signin"
)

// The pages on which a person sees what is connected to their account, and takes it back.
const (
	accountPath = "/account"
	detailsPath = "/account/details"
	dataPath    = "/account/data"
)

// accountPageSize is how many connections are on a page, of whichever apps.
const accountPageSize = 50

// accountPage shows which apps are connected to an account, and where it is signed in.
func (h *Handler) accountPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.visitor(w, r, ev, 0)
	if v == nil {
		return err
	}
	ctx, now, query := r.Context(), h.Engine.Now(), r.URL.Query()
	q := symbolon.ConnectionQuery{Account: v.Account.ID, Live: true, Now: now, Limit: accountPageSize + 1}
	if before := query.Get("before"); before != "" {
		if q.Before, err = symbolon.ParseConnectionID(before); err != nil {
			return &deniedError{reason: "denied.broken_address", retry: accountPath}
		}
	}
	connections, err := h.Store.Connections(ctx, q)
	if err != nil {
		return err
	}
	p := &AccountPage{Visit: newVisitView(v, accountPath), Done: query.Get("done"), First: q.Before == symbolon.ConnectionID{}}
	if len(connections) > accountPageSize {
		connections = connections[:accountPageSize]
		p.More = h.accountURL(v, "before", connections[accountPageSize-1].ID.String())
	}
	said, err := h.admin.Said(ctx)
	if err != nil {
		return err
	}
	for i := range connections {
		if err := h.addConnection(r, p, &connections[i], said); err != nil {
			return err
		}
	}
	sessions, err := h.Store.AccountSessions(ctx, v.Account.ID, now)
	if err != nil {
		return err
	}
	for i := range sessions {
		device := newDeviceView(&sessions[i], v.Session.Browser)
		at := len(p.Devices)
		if device.Here { // the one that the person sits at stands first
			at = 0
		}
		p.Devices = slices.Insert(p.Devices, at, device)
	}
	if p.Flow, err = h.sealFlow(v.flow); err != nil {
		return err
	}
	h.render(w, r, ev, http.StatusOK, p)
	return nil
}

// accountURL returns the path of the page of connections of the same account, with one
// more parameter.
func (h *Handler) accountURL(v *visit, name, value string) string {
	q := url.Values{name: {value}}
	if len(v.Others) > 0 {
		q.Set(asParam, string(v.Account.ID))
	}
	return accountPath + "?" + q.Encode()
}

// addConnection adds a connection to those of its app.
func (h *Handler) addConnection(r *http.Request, p *AccountPage, c *symbolon.Connection, said map[string]*admin.Scope) error {
	i := slices.IndexFunc(p.Apps, func(a ConnectedApp) bool { return a.App.ID == string(c.Client) })
	if i < 0 {
		app, err := h.Engine.App(r.Context(), c.Client)
		if err != nil {
			refusal, ok := errors.AsType[*oauth.Error](err)
			if !ok || refusal.Refusal != oauth.UnknownClient {
				return err
			}
			app = &symbolon.App{ID: c.Client, Name: string(c.Client)} // it went meanwhile
		}
		p.Apps = append(p.Apps, ConnectedApp{App: NewAppView(app), Unverified: app.Settings.Registration != nil})
		i = len(p.Apps) - 1
	}
	p.Apps[i].Connections = append(p.Apps[i].Connections, connectionView(c, said))
	return nil
}

// connectionView is what a page shows of a connection to whom it belongs.
func connectionView(c *symbolon.Connection, said map[string]*admin.Scope) ConnectionView {
	v := ConnectionView{ID: c.ID.String(), Label: c.Label, Since: newMoment(c.CreatedAt), Dies: newMoment(c.ExpiresAt)}
	if c.RefreshedAt.After(c.CreatedAt) {
		v.Used = newMoment(c.RefreshedAt)
	}
	if c.UsedFrom.IsValid() {
		v.From = c.UsedFrom.String()
	}
	for _, name := range c.Scope {
		v.Scopes = append(v.Scopes, scopeView(said, name, false))
	}
	return v
}

// takeBack takes what a person wants of the page of connections.
func (h *Handler) takeBack(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, form, err := h.ownForm(w, r, ev, 0, false)
	if v == nil {
		return err
	}
	done := form.First("action")
	switch done {
	case "end", "label":
		c, err := h.ownConnection(r, v, form.First("connection"))
		if err != nil {
			return err
		}
		if c == nil { // it ended meanwhile
			break
		}
		ev.client, ev.connection = c.Client, c.ID
		if done == "label" {
			err = h.Store.Label(r.Context(), c.ID, v.Account.ID, symbolon.CleanLabel(form.First("label")))
		} else {
			_, err = h.Engine.EndConnection(r.Context(), c, symbolon.ByPerson)
		}
		if err != nil {
			return err
		}
	case "end-app":
		client := symbolon.ClientID(form.First("app"))
		if client == "" {
			return h.redirect(w, r, ev, accountPath)
		}
		ev.client = client
		if _, err := h.Engine.End(r.Context(), symbolon.End{Account: v.Account.ID, Client: client, Reason: symbolon.ByPerson}); err != nil {
			return err
		}
	case "end-all":
		// One pair after the other: what ends for an account as a whole ends its
		// sessions as well, and the person wants to stay.
		if err := h.endAll(r, v); err != nil {
			return err
		}
	case "sign-out":
		id, err := symbolon.ParseSessionID(form.First("session"))
		if err != nil {
			return h.redirect(w, r, ev, accountPath)
		}
		if _, err := h.Engine.End(r.Context(), symbolon.End{Session: id, Account: v.Account.ID, Reason: symbolon.BySignOut}); err != nil {
			return err
		}
	case "sign-out-all":
		if err := h.signOutOthers(r, v); err != nil {
			return err
		}
	default:
		return h.redirect(w, r, ev, accountPath)
	}
	ev.detail = "my connections: " + done
	return h.redirect(w, r, ev, h.accountURL(v, "done", done))
}

// ownConnection returns a live connection of the account, or nil: another's is as none.
func (h *Handler) ownConnection(r *http.Request, v *visit, text string) (*symbolon.Connection, error) {
	id, err := symbolon.ParseConnectionID(text)
	if err != nil || id == (symbolon.ConnectionID{}) {
		return nil, nil
	}
	found, err := h.Store.Connections(r.Context(), symbolon.ConnectionQuery{ID: id, Account: v.Account.ID, Live: true, Now: h.Engine.Now(), Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// endAll ends every connection of an account, app by app.
func (h *Handler) endAll(r *http.Request, v *visit) error {
	ended := map[symbolon.ClientID]bool{}
	q := symbolon.ConnectionQuery{Account: v.Account.ID, Live: true, Now: h.Engine.Now(), Limit: accountPageSize}
	for {
		found, err := h.Store.Connections(r.Context(), q)
		if err != nil || len(found) == 0 {
			return err
		}
		q.Before = found[len(found)-1].ID
		for i := range found {
			if client := found[i].Client; !ended[client] {
				ended[client] = true
				if _, err := h.Engine.End(r.Context(), symbolon.End{Account: v.Account.ID, Client: client, Reason: symbolon.ByPerson}); err != nil {
					return err
				}
			}
		}
	}
}

// signOutOthers ends every session of an account but that of this browser.
func (h *Handler) signOutOthers(r *http.Request, v *visit) error {
	sessions, err := h.Store.AccountSessions(r.Context(), v.Account.ID, h.Engine.Now())
	if err != nil {
		return err
	}
	for i := range sessions {
		if s := &sessions[i]; s.Browser != v.Session.Browser {
			if err := h.Engine.SignOut(r.Context(), s.Browser, v.Account.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// detailsPage shows a person's name, and lets them change it and the password.
func (h *Handler) detailsPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.visitor(w, r, ev, 0)
	if v == nil {
		return err
	}
	return h.showDetails(w, r, ev, v, http.StatusOK, &DetailsPage{Done: r.URL.Query().Get("done")})
}

func (h *Handler) showDetails(w http.ResponseWriter, r *http.Request, ev *event, v *visit, status int, p *DetailsPage) (err error) {
	p.Visit, p.Sandbox, p.HasPassword = newVisitView(v, detailsPath), v.Account.Sandbox, v.Account.Password != ""
	p.Username, p.Email = v.Account.Username, v.Account.Profile.Email
	if p.Name == "" {
		p.Name = v.Account.Name
	}
	v.flow.Try = nil
	if p.Flow, err = h.sealFlow(v.flow); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// details takes a new name or a new password.
func (h *Handler) details(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, form, err := h.ownForm(w, r, ev, freshFor, true)
	if v == nil {
		return err
	}
	if v.Account.Sandbox {
		return &deniedError{reason: "account.sandbox", retry: detailsPath}
	}
	switch form.First("action") {
	case "name":
		name := strings.TrimSpace(form.First("name"))
		if name == "" || name != clean(name, maxName) {
			return h.showDetails(w, r, ev, v, http.StatusBadRequest, &DetailsPage{Name: clean(name, maxName), NameProblem: "unfit"})
		}
		if err := h.change(r, v.Account.ID, func(account *symbolon.Account) bool {
			account.Name = name
			account.Profile.UpdatedAt = h.Engine.Now()
			return true
		}); err != nil {
			return err
		}
		ev.detail = "the name was changed"
		return h.redirect(w, r, ev, ownAs(detailsPath+"?done=name&as=", v.Account.ID))
	case "password":
		return h.newPassword(w, r, ev, v, form)
	}
	return h.redirect(w, r, ev, detailsPath)
}

// newPassword sets a new password, which ends all else: whoever knew the old one may
// have signed in with it, and connected apps.
func (h *Handler) newPassword(w http.ResponseWriter, r *http.Request, ev *event, v *visit, form *oauth.Params) error {
	refuse := func(problem string) error {
		ev.detail = "the password was not changed"
		return h.showDetails(w, r, ev, v, http.StatusBadRequest, &DetailsPage{PasswordProblem: problem})
	}
	bound, cancel := context.WithTimeout(r.Context(), signInPatience)
	defer cancel()
	if v.Account.Password != "" {
		wait := h.Throttle.Attempt(v.Account.Username, ev.address, true)
		if wait > 0 {
			return refuse("wait")
		}
		ok, err := h.Hasher.Check(bound, v.Account.Password, form.First("current"))
		if err != nil && symbolon.KindOf(err) != symbolon.Invalid {
			h.Throttle.Succeeded(v.Account.Username, ev.address, true) // nothing was learned
			return err
		}
		if !ok {
			return refuse("wrong")
		}
		h.Throttle.Succeeded(v.Account.Username, ev.address, true)
	}
	hash, err := h.Hasher.Hash(bound, form.First("new"))
	if symbolon.KindOf(err) == symbolon.Invalid {
		return refuse("unfit")
	}
	if err != nil {
		return err
	}
	err = h.Engine.SetPassword(r.Context(), v.Account, hash)
	if symbolon.KindOf(err) == symbolon.Conflict {
		return &deniedError{reason: accountChanged, retry: detailsPath}
	}
	if err != nil {
		return err
	}
	h.tellPassword(&v.Account)
	ev.detail = "the password was changed"
	return h.redirect(w, r, ev, accountPath)
}

// dataPage lets a person take a copy of what is kept of them, or have it deleted.
func (h *Handler) dataPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.visitor(w, r, ev, 0)
	if v == nil {
		return err
	}
	return h.showData(w, r, ev, v, http.StatusOK, "")
}

func (h *Handler) showData(w http.ResponseWriter, r *http.Request, ev *event, v *visit, status int, problem string) (err error) {
	p := &DataPage{Visit: newVisitView(v, dataPath), Sandbox: v.Account.Sandbox, Username: v.Account.Username, Problem: problem}
	if p.Flow, err = h.sealFlow(v.flow); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// data gives a person the copy, or deletes the account.
func (h *Handler) data(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, form, err := h.ownForm(w, r, ev, freshFor, true)
	if v == nil {
		return err
	}
	switch form.First("action") {
	case "export":
		return h.export(w, r, ev, v)
	case "delete":
		if v.Account.Sandbox {
			return &deniedError{reason: "account.sandbox", retry: dataPath}
		}
		if v.Account.Operator {
			return &deniedError{reason: "account.operator_stays", retry: dataPath}
		}
		typed, err := signin.NormalUsername(form.First("username"))
		if err != nil || typed != v.Account.Username {
			return h.showData(w, r, ev, v, http.StatusBadRequest, "unsure")
		}
		if _, err := h.Engine.End(r.Context(), symbolon.End{Account: v.Account.ID, Delete: true, Reason: symbolon.ByPerson}); err != nil {
			return err
		}
		ev.detail = "the account was deleted by its person"
		return h.redirect(w, r, ev, "/signed-out")
	}
	return h.redirect(w, r, ev, dataPath)
}
