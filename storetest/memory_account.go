package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// Accounts implements symbolon.Store.
func (m *Memory) Accounts(ctx context.Context, q symbolon.AccountQuery) ([]symbolon.Account, error) {
	if err := m.read(ctx, "memory: accounts", q.Limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.Account
	for id, account := range m.accounts {
		if (q.ID == "" || q.ID == id) && (q.Username == "" || q.Username == account.Username) && account.Username > q.After &&
			(q.Issuer == "" || slices.ContainsFunc(account.Identities, func(i symbolon.Identity) bool { return i.Issuer == q.Issuer && i.Subject == q.Subject })) {
			list = append(list, account)
		}
	}
	slices.SortFunc(list, compareUsername)
	return list[:min(len(list), q.Limit)], nil
}

// PutAccount implements symbolon.Store.
func (m *Memory) PutAccount(ctx context.Context, account symbolon.Account) error {
	const op = "memory: put account"
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	old, found := m.accounts[account.ID]
	if found != (account.Version != 0) || old.Version != account.Version {
		return symbolon.Errorf(symbolon.Conflict, op, "account %s has another version", account.ID)
	}
	for id, other := range m.accounts {
		if other.Username == account.Username && id != account.ID {
			return symbolon.Errorf(symbolon.Conflict, op, "the username is taken")
		}
	}
	if account.Identities, err = m.identities(op, &account); err != nil {
		return err
	}
	account.Version++
	account.CreatedAt, account.DisabledAt = ms(account.CreatedAt), ms(account.DisabledAt)
	account.NotBefore = latest(ms(account.NotBefore), old.NotBefore, m.departed[string(account.ID)])
	m.accounts[account.ID] = account
	if account.NotBefore.After(old.NotBefore) || (old.Enabled() && !account.Enabled()) {
		m.endSessionsOf(account.ID, latest(account.NotBefore, account.DisabledAt))
		before := latest(account.NotBefore, account.DisabledAt)
		if found {
			m.tellLeft(account.ID, old.NotBefore, before)
		}
		m.change(symbolon.Change{Kind: symbolon.AccountEnded, Account: account.ID, Before: before, At: before})
	}
	return nil
}

// SignIn implements symbolon.Store.
func (m *Memory) SignIn(ctx context.Context, session symbolon.Session, previous [32]byte) error {
	const op = "memory: sign in"
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	session.AuthAt, session.ExpiresAt = ms(session.AuthAt), ms(session.ExpiresAt)
	session.From = kept(session.From)
	account, found := m.accounts[session.Account]
	if !found || !account.Enabled() || !account.NotBefore.Before(session.AuthAt) {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not sign in", session.Account)
	}
	if previous != ([32]byte{}) && previous != session.Browser {
		for key, moved := range m.sessions {
			if key.browser == previous {
				delete(m.sessions, key)
				moved.Browser = session.Browser
				m.sessions[sessionKey{session.Browser, key.account}] = moved
			}
		}
	}
	key := sessionKey{session.Browser, session.Account}
	if before, found := m.sessions[key]; found && before.ID != (symbolon.SessionID{}) {
		session.ID = before.ID
	}
	m.sessions[key] = session
	return nil
}

// Sessions implements symbolon.Store.
func (m *Memory) Sessions(ctx context.Context, browser [32]byte, now time.Time) ([]symbolon.SignedIn, error) {
	if err := m.read(ctx, "memory: sessions", 1); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.SignedIn
	for key, session := range m.sessions {
		if key.browser == browser && session.ExpiresAt.After(ms(now)) {
			list = append(list, symbolon.SignedIn{Session: session, Account: m.accounts[key.account]})
		}
	}
	slices.SortFunc(list, func(a, b symbolon.SignedIn) int {
		return cmp.Or(b.Session.AuthAt.Compare(a.Session.AuthAt), strings.Compare(string(a.Account.ID), string(b.Account.ID)))
	})
	return list, nil
}

// Allow implements symbolon.Store.
func (m *Memory) Allow(ctx context.Context, consent symbolon.Consent) error {
	const op = "memory: allow"
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	account, found := m.accounts[consent.Account]
	if !found || !account.Enabled() {
		return symbolon.Errorf(symbolon.Denied, op, "account %s may not allow anything", consent.Account)
	}
	consent.GrantedAt = ms(consent.GrantedAt)
	key := pair{consent.Account, consent.Client}
	since := ms(consent.Since)
	consent.Since = time.Time{}
	if before, found := m.consents[key]; found && before.GrantedAt.After(since) {
		consent.Scope = before.Scope.With(consent.Scope)
		consent.GrantedAt = before.GrantedAt
	}
	consent.Scope = slices.Clone(consent.Scope)
	m.consents[key] = consent
	return nil
}

// Consent implements symbolon.Store.
func (m *Memory) Consent(ctx context.Context, account symbolon.AccountID, client symbolon.ClientID) (symbolon.Consent, error) {
	const op = "memory: consent"
	if err := m.read(ctx, op, 1); err != nil {
		return symbolon.Consent{}, err
	}
	defer m.mu.Unlock()
	consent, found := m.consents[pair{account, client}]
	if !found {
		return symbolon.Consent{}, symbolon.Errorf(symbolon.NotFound, op, "account %s has not allowed app %s", account, client)
	}
	consent.Scope = slices.Clone(consent.Scope)
	return consent, nil
}

// endSessionsOf ends every session of the account, whose connections are over in
// another way.
func (m *Memory) endSessionsOf(account symbolon.AccountID, now time.Time) {
	m.endSessions(func(key sessionKey) bool { return key.account == account }, "", now, true)
}

func deleteWhere[K comparable, V any](rows map[K]V, match func(K) bool) int {
	n := 0
	for key := range rows {
		if match(key) {
			delete(rows, key)
			n++
		}
	}
	return n
}
