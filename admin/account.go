package admin

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

func noAccount(name string) error {
	return &Fault{Kind: symbolon.NotFound, Says: fmt.Sprintf("there is no account %q", printable(name)), Hint: "“symbolon account list” shows them all"}
}

func operators(who Actor) error {
	if who.Operator {
		return nil
	}
	return denied("only an operator manages accounts")
}

// anyAccount returns the account with an id, or with a username in its normal form.
func (s *Service) anyAccount(ctx context.Context, name string) (*symbolon.Account, error) {
	q := symbolon.AccountQuery{Username: name, Limit: 1}
	if id := symbolon.AccountID(name); id.Valid() {
		q = symbolon.AccountQuery{ID: id, Limit: 1}
	}
	if name == "" {
		return nil, noAccount(name)
	}
	rows, err := s.Store.Accounts(ctx, q)
	if err == nil && len(rows) == 0 {
		err = noAccount(name)
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// Account returns an account, by its id or its username.
func (s *Service) Account(ctx context.Context, who Actor, name string) (*symbolon.Account, error) {
	if err := operators(who); err != nil {
		return nil, err
	}
	return s.anyAccount(ctx, name)
}

// AccountFilter selects accounts.
type AccountFilter struct {
	// Text selects those whose username or name has it, in letters of either case.
	Text string
	// After selects those whose username is behind this one, and Limit is how many at
	// most: 50 when 0, and never more than 200.
	After string
	Limit int
}

// Accounts returns accounts in the order of their usernames, and from where to go on;
// empty at the end.
func (s *Service) Accounts(ctx context.Context, who Actor, f AccountFilter) (accounts []symbolon.Account, next string, err error) {
	if err := operators(who); err != nil {
		return nil, "", err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	text := strings.ToLower(f.Text)
	q := symbolon.AccountQuery{After: f.After, Limit: 500}
	for scanned := 0; ; {
		rows, err := s.Store.Accounts(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			if text != "" && !strings.Contains(strings.ToLower(rows[i].Username), text) && !strings.Contains(strings.ToLower(rows[i].Name), text) {
				continue
			}
			if len(accounts) == limit {
				return accounts, accounts[limit-1].Username, nil
			}
			accounts = append(accounts, rows[i])
		}
		if len(rows) < q.Limit {
			return accounts, "", nil
		}
		q.After = rows[len(rows)-1].Username
		if scanned += len(rows); scanned >= maxScanned {
			return accounts, q.After, nil
		}
	}
}

// AccountView is an account as JSON shows it. It holds no password, nor its hash.
type AccountView struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	User        string `json:"user"`
	HasPassword bool   `json:"has_password"`
	Operator    bool   `json:"operator"`
	Sandbox     bool   `json:"sandbox"`
	CreatedAt   Stamp  `json:"created_at"`
	DisabledAt  Stamp  `json:"disabled_at"`
	// Profile has the names of the standard claims (OpenID Connect Core §5.1).
	Profile symbolon.Profile `json:"profile,omitzero"`
	// Factors are "app", "recovery" and "passkey", those that there are.
	Factors []string `json:"factors,omitempty"`
}

// ViewAccount returns what is shown of an account.
func ViewAccount(a *symbolon.Account) AccountView {
	return AccountView{
		ID: string(a.ID), Username: a.Username, User: a.Name, HasPassword: a.Password != "", Operator: a.Operator, Sandbox: a.Sandbox,
		CreatedAt: Stamp(a.CreatedAt), DisabledAt: Stamp(a.DisabledAt), Profile: a.Profile, Factors: a.Factors.Kinds(),
	}
}

// CreateAccount makes an account, whose username is in its normal form already. With
// withPassword set it gets one that was made here, which is shown once.
func (s *Service) CreateAccount(ctx context.Context, who Actor, account symbolon.Account, withPassword bool) (*symbolon.Account, string, error) {
	if err := operators(who); err != nil {
		return nil, "", err
	}
	if account.Name == "" {
		account.Name = account.Username
	}
	account.ID, account.CreatedAt, account.Sandbox, account.Version = symbolon.NewAccountID(), s.Now(), s.Sandbox, 0
	if account.Profile != (symbolon.Profile{}) {
		account.Profile.UpdatedAt = account.CreatedAt
	}
	if err := s.checkAccount(&account); err != nil {
		return nil, "", err
	}
	taken, err := s.Store.Accounts(ctx, symbolon.AccountQuery{Username: account.Username, Limit: 1})
	if err != nil {
		return nil, "", err
	}
	if len(taken) > 0 {
		return nil, "", &Fault{Kind: symbolon.Conflict, Says: fmt.Sprintf("the username %q is taken", account.Username),
			Hint: "choose another, or change that account: symbolon account show " + account.Username}
	}
	plain := ""
	if withPassword {
		plain = newPassword()
		if account.Password, err = s.Hash(ctx, plain); err != nil {
			return nil, "", err
		}
	}
	if err := s.Store.PutAccount(ctx, account); err != nil {
		return nil, "", err
	}
	account.Version = 1
	return &account, plain, nil
}

func (s *Service) checkAccount(account *symbolon.Account) error {
	if account.Username == "" {
		return fault("the username is empty")
	}
	if err := CheckName("name of the account", account.Name); err != nil {
		return err
	}
	return CheckProfile(&account.Profile)
}

// newPassword returns a password of 130 random bits, in groups that can be read out.
func newPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[:6], text[6:12], text[12:18], text[18:]}, "-")
}

// EditAccount changes an account by edit, as EditApp does an app. An operator cannot
// take away its own right, so that there is one left.
func (s *Service) EditAccount(ctx context.Context, who Actor, name, tag string, edit func(*symbolon.Account) error) (*symbolon.Account, error) {
	return s.changeAccount(ctx, who, name, tag, false, func(account *symbolon.Account) error {
		was := *account
		if err := edit(account); err != nil {
			return err
		}
		if was.ID == who.Account && was.Operator && !account.Operator {
			return denied("nobody takes the operator's rights from themselves; another operator can")
		}
		if account.Profile != was.Profile || account.Name != was.Name {
			account.Profile.UpdatedAt = s.Now()
		}
		account.ID, account.Username, account.Password, account.DisabledAt, account.NotBefore = was.ID, was.Username, was.Password, was.DisabledAt, was.NotBefore
		return s.checkAccount(account)
	})
}

// changeAccount changes a row by edit and, with ends set, ends everything of it.
func (s *Service) changeAccount(ctx context.Context, who Actor, name, tag string, ends bool, edit func(*symbolon.Account) error) (*symbolon.Account, error) {
	if err := operators(who); err != nil {
		return nil, err
	}
	for range maxRaces {
		account, err := s.anyAccount(ctx, name)
		if err != nil {
			return nil, err
		}
		if tag != "" && tag != AccountTag(account) {
			return nil, &Fault{Kind: symbolon.Conflict, Says: "the account was changed since you read it; read it again, and decide anew"}
		}
		version := account.Version
		if err := edit(account); err != nil {
			return nil, err
		}
		account.Version = version
		err = s.Store.PutAccount(ctx, *account)
		if err != nil && symbolon.KindOf(err) == symbolon.Conflict {
			continue
		}
		if err == nil && ends {
			_, err = s.End(ctx, symbolon.End{Account: account.ID, Reason: symbolon.ByOperator})
		}
		if err != nil {
			return nil, err
		}
		account.Version++
		return account, s.Changed(ctx)
	}
	return nil, symbolon.Errorf(symbolon.Busy, "edit account", "the account changes all the time")
}

// DisableAccount locks an account, and ends its sessions and connections.
func (s *Service) DisableAccount(ctx context.Context, who Actor, name string) (*symbolon.Account, error) {
	return s.changeAccount(ctx, who, name, "", true, func(account *symbolon.Account) error {
		if account.ID == who.Account {
			return denied("nobody locks their own account; another operator can")
		}
		if account.Enabled() {
			now := s.Now()
			// NotBefore as well: enabling it again must not revive what was ended.
			account.DisabledAt, account.NotBefore = now, now
		}
		return nil
	})
}

// EnableAccount unlocks an account. What was ended stays ended.
func (s *Service) EnableAccount(ctx context.Context, who Actor, name string) (*symbolon.Account, error) {
	return s.changeAccount(ctx, who, name, "", false, func(account *symbolon.Account) error {
		account.DisabledAt = time.Time{}
		return nil
	})
}

// ResetPassword gives an account a password that was made here, which is shown once, and
// ends its sessions and connections: whoever knew the old one may have made some.
func (s *Service) ResetPassword(ctx context.Context, who Actor, name string) (*symbolon.Account, string, error) {
	if err := operators(who); err != nil {
		return nil, "", err
	}
	plain := newPassword()
	hash, err := s.Hash(ctx, plain)
	if err != nil {
		return nil, "", err
	}
	account, err := s.changeAccount(ctx, who, name, "", true, func(account *symbolon.Account) error {
		account.Password, account.NotBefore = hash, s.Now()
		return nil
	})
	if account == nil {
		return nil, "", err
	}
	return account, plain, err
}

// DeleteAccount deletes an account, and ends its sessions and connections. Its apps stay,
// for operators.
func (s *Service) DeleteAccount(ctx context.Context, who Actor, name string) error {
	if err := operators(who); err != nil {
		return err
	}
	account, err := s.anyAccount(ctx, name)
	if err != nil {
		return err
	}
	if account.ID == who.Account {
		return denied("nobody deletes their own account here; another operator can")
	}
	if _, err := s.End(ctx, symbolon.End{Account: account.ID, Delete: true, Reason: symbolon.ByOperator}); err != nil {
		return err
	}
	return s.Changed(ctx)
}
