package trail

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// Options are what a Recorder is made of.
type Options struct {
	Store symbolon.Trail
	// Keep is how many entries are kept of each app and bucket: 200 when 0.
	Keep int
	// Log is told when entries cannot be written.
	Log *slog.Logger
}

const (
	// waiting bounds the entries that wait to be written: 4 MB at the most.
	waiting = 512
	// pause is how long entries are gathered for one write.
	pause = 300 * time.Millisecond
	// writeTimeout bounds one write, and the last one when the server stops.
	writeTimeout = 3 * time.Second

	// Each second so many requests are taken up of one app and bucket: those that failed,
	// and of each endpoint those that did not.
	failuresPerSecond, successesPerSecond = 20, 2
	// allPerSecond bounds those of all apps together, of one bucket, each.
	allPerSecond = 100
	// rates bounds the apps that are counted.
	rates = 4096
	// complainEvery is how long nothing is said of entries that were lost after it was.
	complainEvery = time.Minute
)

// Recorder takes up entries and writes them down behind the requests. It may be used by
// many goroutines at once.
type Recorder struct {
	Options
	queue chan *symbolon.TrailEntry
	lost  atomic.Uint64 // entries for which there was no room
	saved atomic.Uint64

	mu     sync.Mutex // guards what is below
	second int64
	counts map[rated]uint16
	all    [len(symbolon.TrailBytes)][2]uint16 // those that failed and those that did not
}

// rated is whose requests are counted.
type rated struct {
	client   symbolon.ClientID
	bucket   symbolon.TrailBucket
	endpoint string // of those that did not fail
}

// New returns a Recorder that writes nothing until Run.
func New(o Options) *Recorder {
	if o.Keep == 0 {
		o.Keep = 200
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{Options: o, queue: make(chan *symbolon.TrailEntry, waiting), counts: make(map[rated]uint16)}
}

// Admits reports whether a request that was answered just now is to be taken up. It is
// asked before the entry is made, since for most it is not.
func (r *Recorder) Admits(client symbolon.ClientID, bucket symbolon.TrailBucket, endpoint string, failed bool, now time.Time) bool {
	limit, which := uint16(successesPerSecond), 0
	if failed {
		limit, which, endpoint = failuresPerSecond, 1, ""
	}
	key := rated{client, bucket, endpoint}
	r.mu.Lock()
	defer r.mu.Unlock()
	if second := now.Unix(); second != r.second {
		r.second = second
		clear(r.counts)
		clear(r.all[:])
	}
	n := r.counts[key]
	if n >= limit || r.all[bucket][which] >= allPerSecond || n == 0 && len(r.counts) >= rates {
		return false
	}
	r.counts[key] = n + 1
	r.all[bucket][which]++
	return true
}

// Record takes up an entry, which must not be changed after. It never waits: where
// there is no room, the entry is lost, and counted.
func (r *Recorder) Record(e *symbolon.TrailEntry) {
	select {
	case r.queue <- e:
	default:
		r.lost.Add(1)
	}
}

// Counts returns how many entries were written, and how many were lost, since the start.
func (r *Recorder) Counts() (written, lost uint64) { return r.saved.Load(), r.lost.Load() }

// Run writes entries until the context ends, and then what was taken up before.
func (r *Recorder) Run(ctx context.Context) {
	var complained time.Time
	for {
		var batch []symbolon.TrailEntry
		select {
		case e := <-r.queue:
			batch = append(batch, *e)
		case <-ctx.Done():
			if batch = r.drain(nil); len(batch) > 0 {
				r.write(context.WithoutCancel(ctx), batch, &complained)
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		r.write(context.WithoutCancel(ctx), r.drain(batch), &complained)
	}
}

// Flush writes what was taken up so far. It is for whoever wants to read it at once, and
// not for beside Run.
func (r *Recorder) Flush(ctx context.Context) {
	if batch := r.drain(nil); len(batch) > 0 {
		r.write(ctx, batch, new(time.Time))
	}
}

// drain adds what waits.
func (r *Recorder) drain(batch []symbolon.TrailEntry) []symbolon.TrailEntry {
	for {
		select {
		case e := <-r.queue:
			batch = append(batch, *e)
		default:
			return batch
		}
	}
}

func (r *Recorder) write(ctx context.Context, batch []symbolon.TrailEntry, complained *time.Time) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.Store.Record(ctx, batch, r.Keep); err != nil {
		r.lost.Add(uint64(len(batch)))
		if now := time.Now(); now.Sub(*complained) > complainEvery {
			*complained = now
			r.Log.Warn("the request log cannot be written; requests go on without it", "lost", r.lost.Load(), "cause", err.Error())
		}
		return
	}
	r.saved.Add(uint64(len(batch)))
}
