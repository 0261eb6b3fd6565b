package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

// Connect implements symbolon.Store.
func (m *Memory) Connect(ctx context.Context, c symbolon.Connect) (symbolon.ConnectOutcome, error) {
	done, err := m.write(ctx, "memory: connect")
	if err != nil {
		return 0, err
	}
	defer done()
	if row, found := m.connections[c.Connection.ID]; found {
		if !c.Spare {
			m.endConnection(row, symbolon.ByCodeReplay, c.Now)
		}
		return symbolon.CodeReplayed, nil
	}
	issued := ms(c.CodeIssuedAt)
	consent, allowed := m.consents[pair{c.Connection.Account, c.Connection.Client}]
	allowed = allowed && !consent.GrantedAt.After(issued)
	if !m.mayConnect(c.Connection.Account, c.Connection.Client, issued) || (!allowed && !c.Sandbox) || !m.lasts(&c.Connection) ||
		(c.One && m.hasNewer(&c.Connection, ms(c.Now))) {
		return symbolon.ConnectDenied, nil
	}
	row := c.Connection
	row.Scope = slices.Clone(row.Scope)
	row.CreatedAt, row.ExpiresAt = ms(row.CreatedAt), ms(row.ExpiresAt)
	row.RefreshedAt = row.CreatedAt
	row.EndedAt, row.EndedBy = time.Time{}, ""
	row.UsedFrom = kept(c.From)
	m.put(row)
	if c.Tell {
		m.tell(row, "", c.Now, symbolon.EventConnected)
	}
	for _, other := range m.connections {
		if c.One && other.Account == row.Account && other.Client == row.Client && other.ID != row.ID {
			m.endConnection(other, symbolon.ByNewer, c.Now)
		}
	}
	return symbolon.Connected, nil
}

// lasts reports whether the session that a connection comes of is there.
func (m *Memory) lasts(row *symbolon.Connection) bool {
	if row.Session == (symbolon.SessionID{}) {
		return true
	}
	for _, session := range m.sessions {
		if session.ID == row.Session && session.Account == row.Account {
			return true
		}
	}
	return false
}

// mayConnect reports whether what was made at a moment for an account and an
// app stands: both are there, the account is enabled, neither was ended since.
func (m *Memory) mayConnect(id symbolon.AccountID, client symbolon.ClientID, made time.Time) bool {
	account, found := m.accounts[id]
	if !found || !account.Enabled() || !account.NotBefore.Before(made) {
		return false
	}
	app, found := m.apps[client]
	return found && app.NotBefore.Before(made)
}

// maxSeq is more rotations than any connection lives through: one a
// millisecond for two thousand years.
const maxSeq = 1 << 46

// day is how seldom the expiry of a connection that does not rotate is written.
const day = 24 * time.Hour

// Refresh implements symbolon.Store.
func (m *Memory) Refresh(ctx context.Context, r symbolon.Refresh) (symbolon.RefreshOutcome, error) {
	done, err := m.write(ctx, "memory: refresh")
	if err != nil {
		return symbolon.RefreshOutcome{}, err
	}
	defer done()
	if r.Seq >= maxSeq {
		return symbolon.RefreshOutcome{}, symbolon.Errorf(symbolon.Invalid, "memory: refresh", "no connection gets as far as sequence number %d", r.Seq)
	}
	now := ms(r.Now)
	row, found := m.connections[r.ID]
	switch {
	case !found:
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}, nil
	case !row.EndedAt.IsZero():
		return symbolon.RefreshOutcome{Result: symbolon.RefreshEnded}, nil
	case !row.ExpiresAt.After(now), !m.mayConnect(row.Account, row.Client, row.ID.Time()):
		return symbolon.RefreshOutcome{Result: symbolon.RefreshDenied}, nil

	case r.Seq == row.Seq && r.Rotation == symbolon.RotateNever:
		if until := ms(r.ExpiresAt); until.Sub(row.ExpiresAt) >= min(day, until.Sub(now)/2) {
			if until.After(row.ExpiresAt) {
				row.ExpiresAt, row.UsedFrom = until, kept(r.From)
			}
			m.put(row)
		}
		if r.Tell {
			m.tell(row, "", now, symbolon.EventRefreshed)
		}
		return symbolon.RefreshOutcome{Result: symbolon.Kept, Seq: row.Seq, At: row.RefreshedAt, ExpiresAt: row.ExpiresAt}, nil

	case r.Seq >= row.Seq:
		result := symbolon.Rotated
		if r.Seq > row.Seq {
			result = symbolon.CaughtUp
		}
		row.Seq = r.Seq
		if r.Rotation != symbolon.RotateNever {
			row.Seq++
		}
		row.RefreshedAt, row.ExpiresAt, row.UsedFrom = now, ms(r.ExpiresAt), kept(r.From)
		m.put(row)
		if r.Tell {
			m.tell(row, "", now, symbolon.EventRefreshed)
		}
		return symbolon.RefreshOutcome{Result: result, Seq: row.Seq, At: now, ExpiresAt: row.ExpiresAt}, nil

	case r.Seq+1 == row.Seq && (r.Grace < 0 || now.Sub(row.RefreshedAt) <= r.Grace):
		return symbolon.RefreshOutcome{Result: symbolon.Repeated, Seq: row.Seq, At: row.RefreshedAt, ExpiresAt: row.ExpiresAt}, nil

	default:
		m.endConnection(row, symbolon.ByRefreshReplay, now)
		return symbolon.RefreshOutcome{Result: symbolon.RefreshReplayed}, nil
	}
}

// End implements symbolon.Store.
func (m *Memory) End(ctx context.Context, e symbolon.End) (int, error) {
	const op = "memory: end"
	done, err := m.write(ctx, op)
	if err != nil {
		return 0, err
	}
	defer done()
	now := ms(e.Now)
	switch {
	case e.Connection != symbolon.ConnectionID{}:
		row, found := m.connections[e.Connection]
		switch {
		case !found && e.Token:
			m.change(symbolon.Change{Kind: symbolon.ConnectionEnded, ID: e.Connection, At: now})
			return 1, nil
		case !found:
			return 0, nil
		}
		return m.endConnection(row, e.Reason, now), nil
	case e.Browser != [32]byte{}:
		return m.endSessions(func(key sessionKey) bool {
			return key.browser == e.Browser && (e.Account == "" || e.Account == key.account)
		}, e.Reason, now, false), nil
	case e.Session != symbolon.SessionID{} && e.Account == "":
		return 0, symbolon.Errorf(symbolon.Invalid, op, "the account of the session is not named")
	case e.Session != symbolon.SessionID{}:
		return m.endSessions(func(key sessionKey) bool {
			return key.account == e.Account && m.sessions[key].ID == e.Session
		}, e.Reason, now, false), nil
	case e.Account != "" && e.Client != "":
		return m.endPair(e, now), nil
	case e.Account != "":
		return m.endAccount(e, now), nil
	case e.Client != "":
		return m.endApp(e, now), nil
	}
	return 0, symbolon.Errorf(symbolon.Invalid, op, "nothing is named")
}

func (m *Memory) endConnection(row symbolon.Connection, reason symbolon.Reason, now time.Time) int {
	if !row.EndedAt.IsZero() {
		return 0
	}
	row.EndedAt, row.EndedBy = ms(now), reason
	m.put(row)
	m.tell(row, reason, now, symbolon.EndEvents(reason)...)
	m.change(symbolon.Change{
		Kind: symbolon.ConnectionEnded, ID: row.ID, Account: row.Account, Client: row.Client, At: ms(now),
	})
	return 1
}

func (m *Memory) endPair(e symbolon.End, now time.Time) int {
	n, before := 0, now
	for _, row := range m.connections {
		if row.Account == e.Account && row.Client == e.Client && row.EndedAt.IsZero() {
			before = latest(before, row.ID.Time())
			row.EndedAt, row.EndedBy = now, e.Reason
			m.put(row)
			m.tell(row, e.Reason, now, symbolon.EndEvents(e.Reason)...)
			n++
		}
	}
	forgotten := deleteWhere(m.consents, func(key pair) bool { return key == pair{e.Account, e.Client} })
	if n = max(n, forgotten); n > 0 {
		m.change(symbolon.Change{Kind: symbolon.PairEnded, Account: e.Account, Client: e.Client, Before: before, At: now})
	}
	return n
}

func (m *Memory) endAccount(e symbolon.End, now time.Time) int {
	account, found := m.accounts[e.Account]
	if !found || (!e.Delete && !account.NotBefore.Before(now)) {
		return 0
	}
	m.tellLeft(e.Account, account.NotBefore, now)
	account.NotBefore = latest(account.NotBefore, now)
	account.Version++
	m.accounts[e.Account] = account
	if e.Delete {
		m.departed[string(e.Account)] = account.NotBefore
		delete(m.accounts, e.Account)
	}
	m.endSessionsOf(e.Account, now)
	deleteWhere(m.consents, func(key pair) bool { return key.account == e.Account })
	m.change(symbolon.Change{Kind: symbolon.AccountEnded, Account: e.Account, Before: account.NotBefore, At: now})
	return 1
}

func (m *Memory) endApp(e symbolon.End, now time.Time) int {
	app, found := m.apps[e.Client]
	if !found || (!e.Delete && !app.NotBefore.Before(now)) {
		return 0
	}
	app.NotBefore = latest(app.NotBefore, now)
	app.Version++
	m.apps[e.Client] = app
	if e.Delete {
		m.departed[string(e.Client)] = app.NotBefore
		delete(m.apps, e.Client)
	}
	m.tellAll(e.Client, now)
	deleteWhere(m.consents, func(key pair) bool { return key.client == e.Client })
	m.change(symbolon.Change{Kind: symbolon.AppEnded, Client: e.Client, Before: app.NotBefore, At: now})
	m.change(symbolon.Change{Kind: symbolon.AppChanged, Client: e.Client, At: now})
	return 1
}

// Connections implements symbolon.Store.
func (m *Memory) Connections(ctx context.Context, q symbolon.ConnectionQuery) ([]symbolon.Connection, error) {
	if err := m.read(ctx, "memory: connections", q.Limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	none := symbolon.ConnectionID{}
	var list []symbolon.Connection
	for id, row := range m.connections {
		if (q.ID != none && q.ID != id) || (q.Account != "" && q.Account != row.Account) ||
			(q.Client != "" && q.Client != row.Client) || (q.Before != none && compareID(id, q.Before) >= 0) ||
			(q.Live && !m.live(row, ms(q.Now))) || row.ExpiresAt.Before(ms(q.DiesFrom)) ||
			(!q.DiesBefore.IsZero() && !row.ExpiresAt.Before(ms(q.DiesBefore))) {
			continue
		}
		row.Scope = slices.Clone(row.Scope)
		row.EndedAt = m.endOf(row)
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b symbolon.Connection) int { return compareID(b.ID, a.ID) })
	return list[:min(len(list), q.Limit)], nil
}

// endOf returns when the connection ended: by itself, or with everything of its
// account or its app, in which case EndedBy stays empty.
func (m *Memory) endOf(row symbolon.Connection) time.Time {
	if !row.EndedAt.IsZero() {
		return row.EndedAt
	}
	account := latest(m.accounts[row.Account].NotBefore, m.departed[string(row.Account)])
	app := latest(m.apps[row.Client].NotBefore, m.departed[string(row.Client)])
	if end := latest(account, app); !end.Before(row.CreatedAt) {
		return end
	}
	return time.Time{}
}

// live reports whether a refresh of the row could succeed at now.
func (m *Memory) live(row symbolon.Connection, now time.Time) bool {
	return row.EndedAt.IsZero() && row.ExpiresAt.After(now) && m.mayConnect(row.Account, row.Client, row.CreatedAt)
}
