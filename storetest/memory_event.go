package storetest

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

// tell has the webhook of a connection's app be told something of it.
func (m *Memory) tell(row symbolon.Connection, why symbolon.Reason, now time.Time, kinds ...symbolon.EventKind) {
	m.announce(row.Client, row.Account, row.ID, why, now, kinds...)
}

func (m *Memory) announce(client symbolon.ClientID, account symbolon.AccountID, id symbolon.ConnectionID, why symbolon.Reason, now time.Time, kinds ...symbolon.EventKind) {
	app, found := m.apps[client]
	if !found {
		return
	}
	for _, kind := range kinds {
		if app.Settings.Webhook.Mask()&kind.Bit() == 0 {
			continue
		}
		d := symbolon.NewEvent(client, account, symbolon.Event{Type: kind, Connection: id, Why: string(why)}, ms(now))
		m.outbox[d.ID] = waiting{d, d.MadeAt}
	}
}

// tellLeft has each app's webhook be told that all that an account had to it is over:
// what was made after before.
func (m *Memory) tellLeft(account symbolon.AccountID, before, now time.Time) {
	var told []symbolon.ClientID
	for _, row := range m.connections {
		if row.Account == account && row.EndedAt.IsZero() && row.CreatedAt.After(before) && row.ExpiresAt.After(ms(now)) && !slices.Contains(told, row.Client) {
			told = append(told, row.Client)
			m.announce(row.Client, account, symbolon.ConnectionID{}, symbolon.ByMass, now, symbolon.EventEnded)
		}
	}
}

// tellAll has an app's webhook be told that all of the app's connections are over.
func (m *Memory) tellAll(client symbolon.ClientID, now time.Time) {
	m.announce(client, "", symbolon.ConnectionID{}, symbolon.ByMass, now, symbolon.EventEnded)
}

// hasNewer reports whether the pair has a live connection that is newer.
func (m *Memory) hasNewer(c *symbolon.Connection, now time.Time) bool {
	for id, row := range m.connections {
		if row.Account == c.Account && row.Client == c.Client && bytes.Compare(id[:], c.ID[:]) > 0 && m.live(row, now) {
			return true
		}
	}
	return false
}

// Tell implements symbolon.Outbox.
func (m *Memory) Tell(ctx context.Context, d symbolon.Delivery) error {
	const op = "memory: tell"
	if err := d.Check(op); err != nil {
		return err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	if _, found := m.outbox[d.ID]; found {
		return nil
	}
	d.MadeAt, d.ExpiresAt, d.Attempts, d.Body = ms(d.MadeAt), ms(d.ExpiresAt), 0, slices.Clone(d.Body)
	m.outbox[d.ID] = waiting{d, d.MadeAt}
	return nil
}

// Tell implements symbolon.Outbox, where the store does.
func (f *Faulty) Tell(ctx context.Context, d symbolon.Delivery) error {
	return f.write("Tell", func() error { return f.Store.(symbolon.Outbox).Tell(ctx, d) })
}

// Label implements symbolon.Store.
func (m *Memory) Label(ctx context.Context, id symbolon.ConnectionID, account symbolon.AccountID, label string) error {
	const op = "memory: label"
	if err := symbolon.CheckLabel(op, label); err != nil {
		return err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return err
	}
	defer done()
	row, found := m.connections[id]
	if !found || row.Account != account {
		return symbolon.Errorf(symbolon.NotFound, op, "account %s has no connection %s", account, id)
	}
	row.Label = label
	m.put(row)
	return nil
}

// AccountSessions implements symbolon.Store.
func (m *Memory) AccountSessions(ctx context.Context, account symbolon.AccountID, now time.Time) ([]symbolon.Session, error) {
	if err := m.read(ctx, "memory: sessions of an account", 1); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.Session
	for key, session := range m.sessions {
		if key.account == account && session.ExpiresAt.After(ms(now)) {
			list = append(list, session)
		}
	}
	slices.SortFunc(list, func(a, b symbolon.Session) int {
		if n := b.AuthAt.Compare(a.AuthAt); n != 0 {
			return n
		}
		return bytes.Compare(a.Browser[:], b.Browser[:])
	})
	return list, nil
}

// kept returns an address as a store keeps it.
func kept(a netip.Addr) netip.Addr { return symbolon.AddressOf(symbolon.AppendAddress(nil, a)) }
