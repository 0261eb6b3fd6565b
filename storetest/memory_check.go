package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/symbolon/symbolon"
)

// put stores a connection and panics when the step from the row that was there
// is one that no connection may take.
func (m *Memory) put(row symbolon.Connection) {
	old, found := m.connections[row.ID]
	m.connections[row.ID] = row
	if !found {
		return
	}
	switch {
	case row.Seq < old.Seq:
		broken("connection %v went back from sequence number %d to %d", row.ID, old.Seq, row.Seq)
	case row.Seq != old.Seq && !old.EndedAt.IsZero():
		broken("connection %v was refreshed after its end", row.ID)
	case !old.EndedAt.IsZero() && (!row.EndedAt.Equal(old.EndedAt) || row.EndedBy != old.EndedBy):
		broken("connection %v was ended twice", row.ID)
	case row.RefreshedAt.Before(old.RefreshedAt) && row.Seq == old.Seq:
		broken("connection %v was refreshed in the past", row.ID)
	case row.Label != old.Label && row.Seq != old.Seq:
		broken("connection %v got a label by a refresh", row.ID)
	case row.Account != old.Account, row.Client != old.Client, !slices.Equal(row.Scope, old.Scope), !row.CreatedAt.Equal(old.CreatedAt):
		broken("connection %v became another one", row.ID)
	}
}

// putKey stores a key and panics when it takes the place of one that is another:
// what that one made could not be read any more, or would be honoured again.
func (m *Memory) putKey(key symbolon.Key) {
	old, found := m.keys[key.ID]
	m.keys[key.ID] = key
	switch {
	case !found:
	case key.Algorithm != old.Algorithm:
		broken("key %v of algorithm %q became one of %q", key.ID, old.Algorithm, key.Algorithm)
	case !old.RetiredAt.IsZero() && !key.RetiredAt.Equal(old.RetiredAt):
		broken("key %v was retired at %v and then at %v", key.ID, old.RetiredAt, key.RetiredAt)
	}
}

// record keeps something that was used, and panics when it was used before.
func (m *Memory) record(o symbolon.Once) {
	if old, found := m.once[o.Key]; found && old.ExpiresAt.After(ms(o.Now)) {
		broken("%x was used once, and again before %v", o.Key[:4], old.ExpiresAt)
	}
	if !o.ExpiresAt.After(ms(o.Now)) {
		broken("%x was over when it was used", o.Key[:4])
	}
	m.once[o.Key] = o
}

// check panics when the rows as a whole contradict the contract.
func (m *Memory) check() {
	usernames := make(map[string]symbolon.AccountID, len(m.accounts))
	for id, account := range m.accounts {
		if other, taken := usernames[account.Username]; taken {
			broken("accounts %s and %s have one username", id, other)
		}
		usernames[account.Username] = id
		if account.NotBefore.Before(m.departed[string(id)]) {
			broken("account %s came back with what was ended before", id)
		}
	}
	for key, session := range m.sessions {
		account, found := m.accounts[key.account]
		if !found || !account.Enabled() || !account.NotBefore.Before(session.AuthAt) {
			broken("account %s is signed in and may not be", key.account)
		}
	}
	for key := range m.consents {
		if _, found := m.accounts[key.account]; !found {
			broken("account %s is gone and its consent is not", key.account)
		}
	}
}

func broken(format string, args ...any) {
	panic("storetest: " + fmt.Sprintf(format, args...))
}

func compareID(a, b symbolon.ConnectionID) int { return bytes.Compare(a[:], b[:]) }
