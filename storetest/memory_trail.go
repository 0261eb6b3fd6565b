package storetest

import (
	"context"
	"slices"

	"github.com/symbolon/symbolon"
)

// trail are the entries in their order, as they are stored.
type trail struct {
	last    int64
	entries []trailRow
}

type trailRow struct {
	id            int64
	client        symbolon.ClientID
	bucket        symbolon.TrailBucket
	line          string
	keep          int
	ms            int64
	request, text string
}

var _ symbolon.Trail = (*Memory)(nil)

// Record implements symbolon.Trail.
func (m *Memory) Record(ctx context.Context, entries []symbolon.TrailEntry, keep int) error {
	done, err := m.write(ctx, "memory: trail")
	if err != nil {
		return err
	}
	defer done()
	for i := range entries {
		e := &entries[i]
		text, err := e.Encode()
		if err != nil {
			continue
		}
		m.trail.last++
		line, keep := e.Line(keep)
		k := trailRow{m.trail.last, e.Client, e.Bucket, line, keep, e.At.UnixMilli(), e.RequestID, string(text)}
		if e.Bucket == symbolon.NamedNoApp {
			k.client = ""
		}
		m.trail.entries = append(m.trail.entries, k)
	}
	type key struct {
		client symbolon.ClientID
		bucket symbolon.TrailBucket
		line   string
	}
	count, room, latest := make(map[key]int), make(map[key]int), int64(0)
	var bytes [len(symbolon.TrailBytes)]int
	for _, k := range slices.Backward(m.trail.entries) {
		latest = max(latest, k.ms)
	}
	var left []trailRow
	for _, k := range slices.Backward(m.trail.entries) {
		of := key{k.client, k.bucket, k.line}
		if count[of] == 0 {
			room[of] = k.keep
		}
		count[of]++
		bytes[k.bucket] += len(k.text)
		if count[of] <= room[of] && bytes[k.bucket] <= symbolon.TrailBytes[k.bucket] && k.ms >= latest-symbolon.TrailLife.Milliseconds() {
			left = append(left, k)
		}
	}
	slices.Reverse(left)
	m.trail.entries = left
	return nil
}

// Trail implements symbolon.Trail.
func (m *Memory) Trail(ctx context.Context, q symbolon.TrailQuery) ([]symbolon.TrailEntry, error) {
	if err := m.read(ctx, "memory: trail", q.Limit); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []symbolon.TrailEntry
	for _, k := range slices.Backward(m.trail.entries) {
		whose := k.client == q.Client
		if q.RequestID != "" {
			whose = k.request == q.RequestID
		}
		if !whose || q.Failed && k.line != "" || k.id <= q.After || q.Before > 0 && k.id >= q.Before || len(list) == q.Limit {
			continue
		}
		e, err := symbolon.DecodeTrailEntry([]byte(k.text))
		if err != nil {
			return nil, err
		}
		e.ID, e.Bucket = k.id, k.bucket
		list = append(list, e)
	}
	return list, nil
}
