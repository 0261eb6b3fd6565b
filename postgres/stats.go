package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon/gather"
)

// Stats is how an open database does, for an operator to see.
type Stats struct {
	// Connects, Refreshes, Ends and Uses are the changes that were gathered, and
	// those that wait.
	Connects, Refreshes, Ends, Uses gather.Stats
	// Reads is the pool for reads and rare changes, Writes that of the gathered ones.
	Reads, Writes Pool
	// Away is set while the database cannot be reached.
	Away bool
}

// Pool is how a pool of connections does.
type Pool struct {
	// Acquired connections are in use, Idle ones are not, and there may be Max.
	Acquired, Idle, Max int
	// Waits counts who found no idle connection, Waited is how long they waited in all.
	Waits  uint64
	Waited time.Duration
}

// Stats returns how the database does. It asks the server nothing.
func (db *DB) Stats() Stats {
	return Stats{
		Connects: db.connects.Stats(), Refreshes: db.refreshes.Stats(), Ends: db.ends.Stats(), Uses: db.uses.Stats(),
		Reads: poolStats(db.pool), Writes: poolStats(db.hot),
		Away: db.away.is(),
	}
}

func poolStats(p *pgxpool.Pool) Pool {
	s := p.Stat()
	return Pool{
		Acquired: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Max: int(s.MaxConns()),
		Waits: uint64(s.EmptyAcquireCount()), Waited: s.EmptyAcquireWaitTime(),
	}
}

// OnBatch has a function told of every batch of changes that shares a commit, and of
// what gathered it: "connects", "refreshes", "ends" or "once". See
// gather.Group.OnBatch.
func (db *DB) OnBatch(tell func(gatherer string, b gather.Batch)) {
	db.connects.OnBatch(func(b gather.Batch) { tell("connects", b) })
	db.refreshes.OnBatch(func(b gather.Batch) { tell("refreshes", b) })
	db.ends.OnBatch(func(b gather.Batch) { tell("ends", b) })
	db.uses.OnBatch(func(b gather.Batch) { tell("once", b) })
}
