package storetest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

var _ symbolon.Outbox = (*Memory)(nil)

// waiting is a delivery as it is kept.
type waiting struct {
	symbolon.Delivery
	dueAt time.Time
}

// endSessions ends the sessions that match, with what came of them when alone is
// not set, and returns how many.
func (m *Memory) endSessions(match func(sessionKey) bool, reason symbolon.Reason, now time.Time, alone bool) int {
	n := 0
	for key, session := range m.sessions {
		if !match(key) {
			continue
		}
		delete(m.sessions, key)
		n++
		if session.ID == (symbolon.SessionID{}) {
			continue
		}
		var told []symbolon.ClientID
		for _, row := range m.connections {
			if row.Session != session.ID {
				continue
			}
			if _, there := m.apps[row.Client]; there && !slices.Contains(told, row.Client) {
				told = append(told, row.Client)
			}
			if !alone && !row.Scope.Has("offline_access") {
				m.endConnection(row, reason, now)
			}
		}
		for _, client := range told {
			d := symbolon.Delivery{
				Kind: symbolon.TellLogout, Client: client, Account: session.Account, Session: session.ID,
				MadeAt: ms(now), ExpiresAt: ms(now.Add(symbolon.DeliveryLife)),
			}
			rand.Read(d.ID[:])
			m.outbox[d.ID] = waiting{d, ms(now)}
		}
	}
	return n
}

// Claim implements symbolon.Outbox.
func (m *Memory) Claim(ctx context.Context, c symbolon.Claim) (symbolon.Claimed, error) {
	const op = "memory: claim"
	if err := c.Check(op); err != nil {
		return symbolon.Claimed{}, err
	}
	done, err := m.write(ctx, op)
	if err != nil {
		return symbolon.Claimed{}, err
	}
	defer done()
	var rows []waiting
	for _, row := range m.outbox {
		if !row.dueAt.After(ms(c.Now)) && (!row.ExpiresAt.After(ms(c.Now)) || !slices.Contains(c.Except, row.Client)) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b waiting) int { return cmp.Or(a.dueAt.Compare(b.dueAt), bytes.Compare(a.ID[:], b.ID[:])) })
	var due []symbolon.Delivery
	for _, row := range rows[:min(len(rows), symbolon.ClaimRead)] {
		due = append(due, row.Delivery)
	}
	picked := c.Pick(due)
	for _, d := range picked.Over {
		delete(m.outbox, d.ID)
	}
	for i := range picked.Due {
		d := &picked.Due[i]
		d.Attempts++
		m.outbox[d.ID] = waiting{*d, ms(c.Now.Add(c.Lease))}
		d.Body = slices.Clone(d.Body)
	}
	return picked, nil
}

// Told implements symbolon.Outbox.
func (m *Memory) Told(ctx context.Context, d symbolon.Delivery, retryAt time.Time) error {
	done, err := m.write(ctx, "memory: told")
	if err != nil {
		return err
	}
	defer done()
	row, found := m.outbox[d.ID]
	switch {
	case !found || row.Attempts != d.Attempts:
	case retryAt.IsZero():
		delete(m.outbox, d.ID)
	default:
		row.dueAt = ms(retryAt)
		if row.dueAt.After(row.ExpiresAt) {
			row.dueAt = row.ExpiresAt
		}
		m.outbox[d.ID] = row
	}
	return nil
}

// Claim implements symbolon.Outbox, where the store does.
func (f *Faulty) Claim(ctx context.Context, c symbolon.Claim) (symbolon.Claimed, error) {
	return value(f, "Claim", func() (symbolon.Claimed, error) { return f.Store.(symbolon.Outbox).Claim(ctx, c) })
}

// Told implements symbolon.Outbox, where the store does.
func (f *Faulty) Told(ctx context.Context, d symbolon.Delivery, retryAt time.Time) error {
	return f.write("Told", func() error { return f.Store.(symbolon.Outbox).Told(ctx, d, retryAt) })
}
