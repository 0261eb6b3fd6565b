package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// Memory is a symbolon.Store in memory, for tests. It forgets nothing until it
// is dropped, and it panics when a change would break an invariant of the
// contract: a sequence number that goes back, an end that is undone, a moment
// NotBefore that moves back, a session of someone who may not sign in, a key that
// becomes another one, something used once that is used again.
type Memory struct {
	mu          sync.Mutex // guards everything below
	apps        map[symbolon.ClientID]symbolon.App
	accounts    map[symbolon.AccountID]symbolon.Account
	departed    map[string]time.Time // NotBefore of what was deleted, by id
	sessions    map[sessionKey]symbolon.Session
	consents    map[pair]symbolon.Consent
	connections map[symbolon.ConnectionID]symbolon.Connection
	changes     []symbolon.Change
	keys        map[symbolon.KeyID]symbolon.Key
	once        map[[32]byte]symbolon.Once
	scopes      map[string]symbolon.Scope // sentences, by name
	outbox      map[symbolon.DeliveryID]waiting
	trail       trail
}

var _ symbolon.Store = (*Memory)(nil)

type sessionKey struct {
	browser [32]byte
	account symbolon.AccountID
}

type pair struct {
	account symbolon.AccountID
	client  symbolon.ClientID
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		apps:        make(map[symbolon.ClientID]symbolon.App),
		accounts:    make(map[symbolon.AccountID]symbolon.Account),
		departed:    make(map[string]time.Time),
		sessions:    make(map[sessionKey]symbolon.Session),
		consents:    make(map[pair]symbolon.Consent),
		connections: make(map[symbolon.ConnectionID]symbolon.Connection),
		keys:        make(map[symbolon.KeyID]symbolon.Key),
		once:        make(map[[32]byte]symbolon.Once),
		scopes:      make(map[string]symbolon.Scope),
		outbox:      make(map[symbolon.DeliveryID]waiting),
	}
}

// read begins a read: the caller unlocks. A context that has ended stops it.
func (m *Memory) read(ctx context.Context, op string, limit int) error {
	if err := ctx.Err(); err != nil {
		return symbolon.Wrap(symbolon.Busy, op, err)
	}
	if limit < 1 {
		return symbolon.Errorf(symbolon.Invalid, op, "the limit is %d, want at least 1", limit)
	}
	m.mu.Lock()
	return nil
}

// write begins a write: the caller defers the function returned, which checks
// the invariants. A context that has ended by now stops it; later it does not.
func (m *Memory) write(ctx context.Context, op string) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, symbolon.Wrap(symbolon.Busy, op, err)
	}
	m.mu.Lock()
	return func() {
		defer m.mu.Unlock()
		m.check()
	}, nil
}

// Apps implements symbolon.Store.
func (m *Memory) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	if err := m.read(ctx, "memory: apps", q.Limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.App
	for _, id := range slices.Sorted(maps.Keys(m.apps)) {
		if (q.ID == "" || q.ID == id) && (q.Owner == "" || q.Owner == m.apps[id].Owner) && id > q.After && len(list) < q.Limit {
			list = append(list, cloneApp(m.apps[id]))
		}
	}
	return list, nil
}

// PutApp implements symbolon.Store.
func (m *Memory) PutApp(ctx context.Context, app symbolon.App) error {
	const op = "memory: put app"
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	old, found := m.apps[app.ID]
	if found != (app.Version != 0) || old.Version != app.Version {
		return symbolon.Errorf(symbolon.Conflict, op, "app %s has another version", app.ID)
	}
	app = cloneApp(app)
	app.Version++
	app.CreatedAt = ms(app.CreatedAt)
	app.NotBefore = latest(ms(app.NotBefore), old.NotBefore, m.departed[string(app.ID)])
	for i := range app.Secrets {
		app.Secrets[i].CreatedAt, app.Secrets[i].UsedAt = ms(app.Secrets[i].CreatedAt), ms(app.Secrets[i].UsedAt)
	}
	m.apps[app.ID] = app
	at := latest(app.NotBefore, app.CreatedAt)
	if app.NotBefore.After(old.NotBefore) {
		m.change(symbolon.Change{Kind: symbolon.AppEnded, Client: app.ID, Before: app.NotBefore, At: at})
		if found {
			m.tellAll(app.ID, at)
		}
	}
	m.change(symbolon.Change{Kind: symbolon.AppChanged, Client: app.ID, At: at})
	return nil
}

// Keys implements symbolon.Store.
func (m *Memory) Keys(ctx context.Context, put []symbolon.Key, onlyFirst bool) ([]symbolon.Key, error) {
	if len(put) > 0 {
		if err := m.putKeys(ctx, put, onlyFirst); err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx)
	}
	if err := m.read(ctx, "memory: keys", 1); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.Key
	for _, key := range m.keys {
		key.Wrapped = slices.Clone(key.Wrapped)
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b symbolon.Key) int {
		return cmp.Or(a.ActiveFrom.Compare(b.ActiveFrom), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (m *Memory) putKeys(ctx context.Context, put []symbolon.Key, onlyFirst bool) error {
	const op = "memory: put keys"
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	if onlyFirst {
		for _, key := range m.keys {
			if slices.ContainsFunc(put, func(k symbolon.Key) bool { return k.Algorithm == key.Algorithm }) {
				return symbolon.Errorf(symbolon.Conflict, op, "there are keys already")
			}
		}
	}
	var at time.Time
	for _, key := range put {
		key.Wrapped = slices.Clone(key.Wrapped)
		key.ActiveFrom, key.RetiredAt = ms(key.ActiveFrom), ms(key.RetiredAt)
		m.putKey(key)
		at = latest(at, key.ActiveFrom)
	}
	m.change(symbolon.Change{Kind: symbolon.KeysChanged, At: at})
	return nil
}

// Once implements symbolon.Store.
func (m *Memory) Once(ctx context.Context, o symbolon.Once) ([]byte, bool, error) {
	const op = "memory: once"
	if err := o.Check(op); err != nil {
		return nil, false, err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return nil, false, err
	}
	defer done()
	if old, found := m.once[o.Key]; found && old.ExpiresAt.After(ms(o.Now)) {
		return slices.Clone(old.Value), false, nil
	}
	if o.Look {
		return nil, true, nil
	}
	o.Value, o.ExpiresAt = slices.Clone(o.Value), ms(o.ExpiresAt)
	m.record(o)
	return slices.Clone(o.Value), true, nil
}

// Changes implements symbolon.Store.
func (m *Memory) Changes(ctx context.Context, after symbolon.Cursor, limit int) ([]symbolon.Change, symbolon.Cursor, error) {
	if err := m.read(ctx, "memory: changes", limit); err != nil {
		return nil, after, err
	}
	defer m.mu.Unlock()
	first := int(after)
	if first > len(m.changes) {
		return nil, 0, nil
	}
	last := min(first+limit, len(m.changes))
	return slices.Clone(m.changes[first:last]), symbolon.Cursor(last), nil
}

func (m *Memory) change(c symbolon.Change) { m.changes = append(m.changes, c) }

// ms returns the time as a store keeps it.
func ms(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

func cloneApp(app symbolon.App) symbolon.App {
	app.Secrets = slices.Clone(app.Secrets)
	app.RedirectURIs = slices.Clone(app.RedirectURIs)
	app.Scope = slices.Clone(app.Scope)
	app.Settings = cloneSettings(app.Settings)
	return app
}

func cloneSettings(s symbolon.Settings) symbolon.Settings {
	s.Grants = slices.Clone(s.Grants)
	s.Resources, s.APIResources = slices.Clone(s.Resources), slices.Clone(s.APIResources)
	s.ExchangeFor, s.TestAccounts = slices.Clone(s.ExchangeFor), slices.Clone(s.TestAccounts)
	if s.Webhook != nil {
		h := *s.Webhook
		h.Secret, h.Previous, h.Events = slices.Clone(h.Secret), slices.Clone(h.Previous), slices.Clone(h.Events)
		h.PreviousUntil = ms(h.PreviousUntil)
		s.Webhook = &h
	}
	if s.Registration != nil {
		r := *s.Registration
		r.Digest, r.Token = slices.Clone(r.Digest), slices.Clone(r.Token)
		r.ChangedAt, r.ExpiresAt = ms(r.ChangedAt), ms(r.ExpiresAt)
		r.DeletedAt = ms(r.DeletedAt)
		s.Registration = &r
	}
	return s
}

func compareUsername(a, b symbolon.Account) int { return strings.Compare(a.Username, b.Username) }
