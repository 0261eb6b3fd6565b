package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/symbolon/symbolon"
)

// Connections that die soon are looked for hour by hour: in each hour those that come
// nearer than the notice in it. So each is told once, and nothing needs to be
// remembered of it: docs/decisions/0032-webhooks.md.

const (
	// expiringNotice is how long before a connection dies its app's owner is told.
	expiringNotice = 7 * 24 * time.Hour
	// expiringLease is for how long a node has an hour for itself.
	expiringLease = 30 * time.Minute
	// expiringMemory is for how many hours it is known that they were looked
	// through: as long as a record of Store.Once may be kept.
	expiringMemory = 22
)

// notice is how long before its end a connection counts as expiring. Where connections
// live for a few days only, it is half of that, so that one that is refreshed in time is
// never told.
func (e *Engine) notice() time.Duration { return min(expiringNotice, e.cfg.RefreshLifetime/2) }

// TellExpiring has the webhooks of apps be told of connections that die soon unless
// they are refreshed, and returns how many were told. It may be called at any time on
// every node: one does the work of each hour. After an outage it takes up what it
// missed; where that was longer than 22 hours, all that die soon are told, some of them
// again, by the same webhook-id.
func (e *Engine) TellExpiring(ctx context.Context) (int, error) {
	if e.cfg.Tell == nil {
		return 0, nil
	}
	now := e.clock.Now()
	hour := now.Unix() / 3600
	record := func(what string, hour int64, life time.Duration, look bool) (bool, error) {
		key := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("expiring events "+what+" "), uint64(hour)))
		_, first, err := e.store.Once(ctx, symbolon.Once{Key: key, ExpiresAt: now.Add(life), Now: now, Look: look})
		return first, err
	}
	const done, lease = "told", "lease"
	if open, err := record(done, hour, 0, true); err != nil || !open {
		return 0, err
	}
	if mine, err := record(lease, hour, expiringLease, false); err != nil || !mine {
		return 0, err
	}
	at := func(hour int64) time.Time { return time.Unix(hour*3600, 0).Add(e.notice()) }
	from := now
	for before := hour - 1; before >= hour-expiringMemory; before-- {
		open, err := record(done, before, 0, true)
		if err != nil {
			return 0, err
		}
		if !open {
			from = at(before + 1)
			break
		}
	}
	n, err := e.tellThoseThatDie(ctx, from, at(hour+1), now)
	if err != nil {
		return n, err // the lease runs out, and another tries
	}
	_, err = record(done, hour, 24*time.Hour, false)
	return n, err
}

// pageOfRows is how many rows are read at a time.
const pageOfRows = 500

func (e *Engine) tellThoseThatDie(ctx context.Context, from, before, now time.Time) (int, error) {
	n := 0
	var after symbolon.ClientID
	for {
		apps, err := e.store.Apps(ctx, symbolon.AppQuery{After: after, Limit: pageOfRows})
		if err != nil {
			return n, err
		}
		for i := range apps {
			after = apps[i].ID
			if !tells(&apps[i], symbolon.EventExpiring) {
				continue
			}
			told, err := e.tellOfApp(ctx, apps[i].ID, from, before, now)
			if n += told; err != nil {
				return n, err
			}
		}
		if len(apps) < pageOfRows {
			return n, nil
		}
	}
}

func (e *Engine) tellOfApp(ctx context.Context, id symbolon.ClientID, from, before, now time.Time) (int, error) {
	n := 0
	q := symbolon.ConnectionQuery{Client: id, Live: true, Now: now, DiesFrom: from, DiesBefore: before, Limit: pageOfRows}
	for {
		rows, err := e.store.Connections(ctx, q)
		if err != nil {
			return n, err
		}
		for i := range rows {
			row := &rows[i]
			q.Before = row.ID
			d := symbolon.NewEvent(id, row.Account, symbolon.Event{Type: symbolon.EventExpiring, Connection: row.ID}, now)
			digest := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("expiring event of "), row.ID[:]...), uint64(row.ExpiresAt.UnixMilli())))
			copy(d.ID[:], digest[:])
			if err := e.cfg.Tell(ctx, d); err != nil {
				return n, err
			}
			n++
		}
		if n > 0 {
			e.announced()
		}
		if len(rows) < pageOfRows {
			return n, nil
		}
	}
}
