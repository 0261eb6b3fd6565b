package web

import (
	"context"
	"errors"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/signin"
)

type accountsAnswer struct {
	Accounts []admin.AccountView `json:"accounts"`
	Next     string              `json:"next,omitempty"`
}

func (h *Handler) adminAccounts(ctx context.Context, r *adminRequest) (any, error) {
	rows, next, err := h.admin.Accounts(ctx, r.who, admin.AccountFilter{Text: r.query.First("q"), After: r.query.First("after"), Limit: r.number("limit")})
	answer := accountsAnswer{Accounts: []admin.AccountView{}, Next: next}
	for i := range rows {
		answer.Accounts = append(answer.Accounts, admin.ViewAccount(&rows[i]))
	}
	return answer, err
}

// accountAnswer answers with an account and its tag.
func (h *Handler) accountAnswer(r *adminRequest) func(*symbolon.Account, error) (any, error) {
	return func(account *symbolon.Account, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		r.tag = admin.AccountTag(account)
		return admin.ViewAccount(account), nil
	}
}

// accountEdit is the body of a change of an account.
type accountEdit struct {
	User                *string           `json:"user"`
	Operator            *bool             `json:"operator"`
	Profile             *symbolon.Profile `json:"profile"`
	RemoveSecondFactors bool              `json:"remove_second_factors"`
}

func (e *accountEdit) apply(account *symbolon.Account) {
	if e.User != nil {
		account.Name = *e.User
	}
	if e.Operator != nil {
		account.Operator = *e.Operator
	}
	if e.Profile != nil {
		account.Profile = *e.Profile
	}
	if e.RemoveSecondFactors {
		account.Factors = symbolon.Factors{}
	}
}

// newAccount is the body that makes an account.
type newAccount struct {
	Username string            `json:"username"`
	User     *string           `json:"user"`
	Operator *bool             `json:"operator"`
	Profile  *symbolon.Profile `json:"profile"`
	// WithPassword has a password made, which is answered once.
	WithPassword bool `json:"with_password"`
}

// accountWithPassword is an account whose password was just made.
type accountWithPassword struct {
	admin.AccountView
	Password string `json:"password,omitempty"`
}

// createdAccount is an account that was just made.
type createdAccount struct{ accountWithPassword }

func (createdAccount) made() {}

func (h *Handler) adminCreateAccount(ctx context.Context, r *adminRequest) (any, error) {
	var body newAccount
	if err := admin.DecodeStrict(r.body, &body); err != nil {
		return nil, err
	}
	var account symbolon.Account
	(&accountEdit{User: body.User, Operator: body.Operator, Profile: body.Profile}).apply(&account)
	var err error
	if account.Username, err = usernameOf(body.Username); err != nil {
		return nil, err
	}
	created, plain, err := h.admin.CreateAccount(ctx, r.who, account, body.WithPassword)
	if err != nil {
		return nil, err
	}
	r.tag = admin.AccountTag(created)
	return createdAccount{accountWithPassword{admin.ViewAccount(created), plain}}, nil
}

// usernameOf returns the normal form of a username that was typed.
func usernameOf(typed string) (string, error) {
	username, err := signin.NormalUsername(typed)
	if err != nil {
		var e *symbolon.Error
		detail := err.Error()
		if errors.As(err, &e) && e.Detail != "" {
			detail = e.Detail
		}
		return "", &admin.Fault{Kind: symbolon.Invalid, Says: "the username cannot be used: " + detail}
	}
	return username, nil
}

// named returns how the query names an account: by its id, or its username.
func (r *adminRequest) named() string {
	if username := r.query.First("username"); username != "" {
		if normal, err := signin.NormalUsername(username); err == nil {
			return normal
		}
	}
	if id := r.query.First("id"); symbolon.AccountID(id).Valid() {
		return id
	}
	return ""
}

func (h *Handler) adminAccount(ctx context.Context, r *adminRequest) (any, error) {
	return h.accountAnswer(r)(h.admin.Account(ctx, r.who, r.named()))
}

func (h *Handler) adminEditAccount(ctx context.Context, r *adminRequest) (any, error) {
	var edit accountEdit
	if err := admin.DecodeStrict(r.body, &edit); err != nil {
		return nil, err
	}
	return h.accountAnswer(r)(h.admin.EditAccount(ctx, r.who, r.named(), r.match, func(account *symbolon.Account) error {
		edit.apply(account)
		return nil
	}))
}

func (h *Handler) adminDeleteAccount(ctx context.Context, r *adminRequest) (any, error) {
	return nil, h.admin.DeleteAccount(ctx, r.who, r.named())
}

func (h *Handler) adminDisable(ctx context.Context, r *adminRequest) (any, error) {
	return h.accountAnswer(r)(h.admin.DisableAccount(ctx, r.who, r.named()))
}

func (h *Handler) adminEnable(ctx context.Context, r *adminRequest) (any, error) {
	return h.accountAnswer(r)(h.admin.EnableAccount(ctx, r.who, r.named()))
}

func (h *Handler) adminPassword(ctx context.Context, r *adminRequest) (any, error) {
	account, plain, err := h.admin.ResetPassword(ctx, r.who, r.named())
	if err != nil {
		return nil, err
	}
	r.tag = admin.AccountTag(account)
	return accountWithPassword{admin.ViewAccount(account), plain}, nil
}
