package main

import (
	"context"
	"runtime/debug"
	"time"
)

// gcPercent is how much the heap grows between two collections. What a request
// leaves behind is much and what stays is little, so it pays to collect less
// often (docs/decisions/0013-memory.md). The environment's GOGC goes first.
const gcPercent = 400

// restAfter is how long a server must be without requests to be at rest.
const restAfter = 3 * time.Second

// giveBack returns memory to the machine each time the server comes to rest,
// until the context ends. Served counts the requests, and rest lets go of what only
// saves work.
func giveBack(ctx context.Context, served func() uint64, rest func(context.Context)) {
	t := time.NewTicker(restAfter)
	defer t.Stop()
	var before, given uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := served()
		if now == before && now != given {
			rest(ctx)
			debug.FreeOSMemory()
			given = now
		}
		before = now
	}
}
