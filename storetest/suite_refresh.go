package storetest

import (
	"time"

	"github.com/symbolon/symbolon"
)

var refreshCases = []testCase{
	{"the current token rotates, and At is now", func(w *world) {
		id := w.connected()
		for seq := range uint64(300) {
			w.later(time.Millisecond)
			w.refresh(w.token(id, seq), symbolon.Rotated, seq+1, w.now)
		}
	}},
	{"SYM-RT-2: the predecessor gets the same successor again, however late and often", func(w *world) {
		id := w.connected()
		rotated := w.now
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, rotated)
		before := w.row(id)
		for range 3 {
			w.later(20 * day)
			w.refresh(w.token(id, 0), symbolon.Repeated, 1, rotated)
		}
		w.equal(w.row(id), before)
	}},
	{"the grace is counted from the rotation, its last moment included", func(w *world) {
		id := w.connected()
		rotated := w.now
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, rotated)
		w.later(30 * time.Second)
		r := w.token(id, 0)
		r.Grace = 30 * time.Second
		w.refresh(r, symbolon.Repeated, 1, rotated)
		w.later(time.Millisecond)
		r.Now = w.now
		w.refused(r, symbolon.RefreshReplayed)
		w.equal(w.row(id).EndedBy, symbolon.ByRefreshReplay)
	}},
	{"a grace of zero is over a millisecond later", func(w *world) {
		id := w.connected()
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		w.later(time.Millisecond)
		r := w.token(id, 0)
		r.Grace = 0
		w.refused(r, symbolon.RefreshReplayed)
	}},
	{"B38, SYM-RT-3: older than the predecessor is a replay: the connection ends, and it is in Changes", func(w *world) {
		id := w.connected()
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(id, 1), symbolon.Rotated, 2, w.now)
		w.equal(w.changed(func() { w.refused(w.token(id, 0), symbolon.RefreshReplayed) }), []symbolon.Change{
			{Kind: symbolon.ConnectionEnded, ID: id, Account: w.account.ID, Client: w.app.ID},
		})
		row := w.row(id)
		w.equal(row.EndedBy, symbolon.ByRefreshReplay)
		w.equal(row.EndedAt, w.now)
		w.refused(w.token(id, 2), symbolon.RefreshEnded)
		w.refused(w.token(id, 0), symbolon.RefreshEnded)
	}},
	{"B41, SYM-RT-4: rotations within one millisecond are told apart", func(w *world) {
		id := w.connected()
		for seq := range uint64(3) {
			w.refresh(w.token(id, seq), symbolon.Rotated, seq+1, w.now)
		}
		r := w.token(id, 0)
		r.Grace = time.Hour
		w.refused(r, symbolon.RefreshReplayed)
	}},
	{"B43: inside the grace there is one living chain", func(w *world) {
		id := w.connected()
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(id, 0), symbolon.Repeated, 1, w.now)
		w.refresh(w.token(id, 1), symbolon.Rotated, 2, w.now)
		w.refresh(w.token(id, 1), symbolon.Repeated, 2, w.now)
		w.refused(w.token(id, 0), symbolon.RefreshReplayed)
	}},
	{"C36: a newer token means that the store was rolled back: it catches up and moves on", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.refresh(w.token(id, 41), symbolon.CaughtUp, 42, w.now)
		w.refresh(w.token(id, 41), symbolon.Repeated, 42, w.now)
		w.refresh(w.token(id, 42), symbolon.Rotated, 43, w.now)
		w.refused(w.token(id, 0), symbolon.RefreshReplayed)
	}},
	{"an app that does not rotate keeps its token, and the time of it", func(w *world) {
		id := w.connected()
		born := w.now
		for range 3 {
			w.later(30 * day)
			r := w.token(id, 0)
			r.Rotation = symbolon.RotateNever
			w.refresh(r, symbolon.Kept, 0, born)
		}
		w.equal(w.row(id).ExpiresAt.After(w.now.Add(88*day)), true)
	}},
	{"an app that does not rotate lives as long as it refreshes, even with a short expiry", func(w *world) {
		c := w.code()
		c.Connection.ExpiresAt = w.now.Add(time.Hour)
		w.connect(c, symbolon.Connected)
		for range 10 {
			w.later(40 * time.Minute)
			r := w.token(c.Connection.ID, 0)
			r.Rotation, r.ExpiresAt = symbolon.RotateNever, w.now.Add(time.Hour)
			w.refresh(r, symbolon.Kept, 0, c.Connection.CreatedAt)
		}
	}},
	{"an app that stopped rotating: the predecessor is repeated, an older one is a replay, a newer one is kept", func(w *world) {
		id := w.connected()
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
		w.refresh(w.token(id, 1), symbolon.Rotated, 2, w.now)
		r := w.token(id, 1)
		r.Rotation = symbolon.RotateNever
		w.refresh(r, symbolon.Repeated, 2, w.now)
		r.Seq = 5
		w.later(time.Second)
		r.Now = w.now
		w.refresh(r, symbolon.CaughtUp, 5, w.now)
		w.refresh(r, symbolon.Kept, 5, w.now)
		r.Seq = 1
		w.refused(r, symbolon.RefreshReplayed)
	}},
	{"RFC6749-6-e: a connection dies at its expiry, and a refresh pushes that on", func(w *world) {
		c := w.code()
		c.Connection.ExpiresAt = w.now.Add(time.Minute)
		w.connect(c, symbolon.Connected)
		w.later(time.Minute - time.Millisecond)
		r := w.token(c.Connection.ID, 0)
		r.ExpiresAt = w.now.Add(time.Minute)
		w.refresh(r, symbolon.Rotated, 1, w.now)
		w.later(time.Minute)
		before := w.row(c.Connection.ID)
		w.refused(w.token(c.Connection.ID, 1), symbolon.RefreshDenied)
		w.refused(w.token(c.Connection.ID, 0), symbolon.RefreshDenied)
		w.equal(w.row(c.Connection.ID), before)
	}},
	{"a connection that is not there is denied", func(w *world) {
		w.refused(w.token(symbolon.NewConnectionID(w.now), 0), symbolon.RefreshDenied)
	}},
	{"a sequence number that no connection reaches is invalid", func(w *world) {
		id := w.connected()
		for _, seq := range []uint64{1 << 46, 1 << 63, 1<<64 - 1} {
			_, err := w.Refresh(w.ctx, w.token(id, seq))
			w.fails(err, symbolon.Invalid)
		}
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
	}},
	{"OAUTH21-4.3.1-a: a disabled account is denied, nothing is written, and enabling it again is enough", func(w *world) {
		id := w.connected()
		w.account.DisabledAt = w.now
		w.ok(w.PutAccount(w.ctx, w.account))
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
		w.refused(w.token(id, 7), symbolon.RefreshDenied)
		w.account.DisabledAt, w.account.Version = time.Time{}, 2
		w.ok(w.PutAccount(w.ctx, w.account))
		w.refresh(w.token(id, 0), symbolon.Rotated, 1, w.now)
	}},
	{"RFC9700-4.14.2-d: an account ended at the birth or later is denied, one ended before is not", func(w *world) {
		old := w.connected()
		w.account.NotBefore = w.now
		w.ok(w.PutAccount(w.ctx, w.account))
		w.refused(w.token(old, 0), symbolon.RefreshDenied)
		w.later(time.Millisecond)
		w.refresh(w.token(w.connected(), 0), symbolon.Rotated, 1, w.now)
	}},
	{"an app ended at the birth or later is denied, one ended before is not", func(w *world) {
		old := w.connected()
		w.app.NotBefore = w.now
		w.ok(w.PutApp(w.ctx, w.app))
		w.refused(w.token(old, 0), symbolon.RefreshDenied)
		w.later(time.Millisecond)
		w.refresh(w.token(w.connected(), 0), symbolon.Rotated, 1, w.now)
	}},
	{"an app or account that is missing is denied", func(w *world) {
		id := w.connected()
		w.later(time.Second)
		w.end(symbolon.End{Client: w.app.ID, Delete: true}, 1)
		w.refused(w.token(id, 0), symbolon.RefreshDenied)
	}},
}
