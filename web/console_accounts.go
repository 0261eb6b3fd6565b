package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// operatorVisit is consoleVisit for a page that operators alone have. To others it is not
// there.
func (h *Handler) operatorVisit(w http.ResponseWriter, r *http.Request, ev *event) (*consoleVisitor, error) {
	v, err := h.consoleVisit(w, r, ev)
	if v != nil && !v.who.Operator {
		return nil, consoleError(&admin.Fault{Kind: symbolon.NotFound})
	}
	return v, err
}

// consoleAccountsPage lists the accounts.
func (h *Handler) consoleAccountsPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	return h.showAccounts(w, r, ev, v, nil, http.StatusOK)
}

func (h *Handler) showAccounts(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, problems []string, status int) error {
	text := firstRunes(v.query.First("q"), maxName)
	rows, next, err := h.admin.Accounts(r.Context(), v.who, admin.AccountFilter{Text: text, After: v.query.First("after"), Limit: 50})
	if err != nil {
		return consoleError(err)
	}
	p := &ConsoleAccountsPage{ConsoleFrame: h.frame(v, "accounts"), Search: text, Problems: problems, Further: v.query.First("after") != ""}
	for i := range rows {
		p.Accounts = append(p.Accounts, ConsoleAccountRow{Account: NewAccountView(&rows[i]), Operator: rows[i].Operator, Locked: !rows[i].Enabled(), Address: accountAddress(rows[i].ID)})
	}
	if next != "" {
		p.Next = consoleUsers + "?" + url.Values{"after": {next}, "q": {text}}.Encode()
	}
	if p.Flow, err = h.formFlow(w, r, v); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

func accountAddress(id symbolon.AccountID) string {
	return consoleUser + "?id=" + url.QueryEscape(string(id))
}

// consoleCreateAccount makes an account.
func (h *Handler) consoleCreateAccount(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	if ok, err := h.mayRisk(w, r, ev, v); !ok {
		return err
	}
	account := symbolon.Account{Name: strings.TrimSpace(v.form.First("name"))}
	account.Username, err = usernameOf(v.form.First("username"))
	var created *symbolon.Account
	plain := ""
	if err == nil {
		first, err2 := h.firstTime(r, v)
		if err2 != nil {
			return err2
		}
		if !first {
			return h.redirect(w, r, ev, consoleUsers)
		}
		created, plain, err = h.admin.CreateAccount(r.Context(), v.who, account, true)
	}
	if err != nil {
		problems, status, err := problemsOf(err)
		if err != nil {
			return consoleError(err)
		}
		return h.showAccounts(w, r, ev, v, problems, status)
	}
	ev.detail = "an account was made in the console: " + string(created.ID)
	h.render(w, r, ev, http.StatusOK, &ConsolePasswordPage{ConsoleFrame: h.frame(v, "accounts"), Of: NewAccountView(created), Password: plain, Back: accountAddress(created.ID)})
	return nil
}

// consoleAccountPage shows an account to an operator.
func (h *Handler) consoleAccountPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	return h.showAccount(w, r, ev, v, nil, http.StatusOK)
}

// idOf returns which account the address names.
func idOf(v *consoleVisitor) string {
	if id := v.query.First("id"); symbolon.AccountID(id).Valid() {
		return id
	}
	return ""
}

func (h *Handler) showAccount(w http.ResponseWriter, r *http.Request, ev *event, v *consoleVisitor, problems []string, status int) error {
	account, err := h.admin.Account(r.Context(), v.who, idOf(v))
	if err != nil {
		return consoleError(err)
	}
	p := &ConsoleAccountPage{
		ConsoleFrame: h.frame(v, "accounts"), Of: NewAccountView(account), Problems: problems, IsOperator: account.Operator, Locked: !account.Enabled(),
		Self: account.ID == v.who.Account, Made: day(account.CreatedAt), Address: accountAddress(account.ID), HasPassword: account.Password != "",
		Factors: len(account.Factors.Kinds()) > 0, Tag: admin.AccountTag(account),
	}
	apps, _, err := h.admin.Apps(r.Context(), v.who, admin.AppFilter{Owner: account.ID, Limit: 50})
	if err != nil {
		return err
	}
	for i := range apps {
		p.Apps = append(p.Apps, NewAppView(&apps[i]))
	}
	rows, _, err := h.admin.Connections(r.Context(), v.who, admin.ConnectionFilter{Account: account.ID, Live: true, Limit: shownConnections})
	if err != nil {
		return err
	}
	p.Live = len(rows)
	if p.Flow, err = h.formFlow(w, r, v); err != nil {
		return err
	}
	h.render(w, r, ev, status, p)
	return nil
}

// consoleChangeAccount does to an account what one of the forms of its page asks for.
func (h *Handler) consoleChangeAccount(w http.ResponseWriter, r *http.Request, ev *event) error {
	v, err := h.operatorVisit(w, r, ev)
	if v == nil {
		return err
	}
	if ok, err := h.mayRisk(w, r, ev, v); !ok {
		return err
	}
	ctx, id, back := r.Context(), idOf(v), consoleUser+"?id="+url.QueryEscape(idOf(v))
	account, err := h.admin.Account(ctx, v.who, id)
	if err != nil {
		return consoleError(err)
	}
	action := v.form.First("action")
	switch action {
	case "edit":
		_, err = h.admin.EditAccount(ctx, v.who, id, v.form.First("tag"), func(a *symbolon.Account) error {
			a.Name, a.Operator = strings.TrimSpace(v.form.First("name")), v.form.First("operator") != ""
			return nil
		})
	case "disable":
		_, err = h.admin.DisableAccount(ctx, v.who, id)
	case "enable":
		_, err = h.admin.EnableAccount(ctx, v.who, id)
	case "factors":
		_, err = h.admin.EditAccount(ctx, v.who, id, "", func(a *symbolon.Account) error {
			a.Factors = symbolon.Factors{}
			return nil
		})
	case "password":
		first, err2 := h.firstTime(r, v)
		if err2 != nil {
			return err2
		}
		if !first {
			return h.redirect(w, r, ev, back)
		}
		var plain string
		if _, plain, err = h.admin.ResetPassword(ctx, v.who, id); err == nil {
			ev.detail = "the password of an account was made anew in the console: " + id
			h.render(w, r, ev, http.StatusOK, &ConsolePasswordPage{ConsoleFrame: h.frame(v, "accounts"), Of: NewAccountView(account), Password: plain, Reset: true, Back: back})
			return nil
		}
	case "delete":
		if strings.TrimSpace(v.form.First("confirm")) != account.Username {
			err = &admin.Fault{Kind: symbolon.Invalid, Says: "type the username of the account to delete it"}
		} else if err = h.admin.DeleteAccount(ctx, v.who, id); err == nil {
			back = consoleUsers
		}
	}
	if err != nil {
		problems, status, err := problemsOf(err)
		if err != nil {
			return consoleError(err)
		}
		return h.showAccount(w, r, ev, v, problems, status)
	}
	ev.detail = "an account was changed in the console (" + knownAction(action) + "): " + id
	return h.redirect(w, r, ev, back)
}

// knownAction keeps what a stranger writes for an action out of the log.
func knownAction(action string) string {
	if slices.Contains([]string{"edit", "disable", "enable", "factors", "delete"}, action) {
		return action
	}
	return "nothing"
}
