package sqlite

import "github.com/symbolon/symbolon/gather"

// Stats is how an open database does, for an operator to see.
type Stats struct {
	// Writes are the changes that were gathered, and those that wait.
	Writes gather.Stats
	// Away is set while the file cannot be written.
	Away bool
}

// Stats returns how the database does. It reads nothing from the file.
func (db *DB) Stats() Stats {
	return Stats{Writes: db.group.Stats(), Away: db.writer.away.is.Load()}
}

// OnBatch has a function told of every batch of changes that shares a commit, and of
// what gathered it: "writes". See gather.Group.OnBatch.
func (db *DB) OnBatch(tell func(gatherer string, b gather.Batch)) {
	db.group.OnBatch(func(b gather.Batch) { tell("writes", b) })
}
