//go:build linux

package main

import (
	"errors"
	"fmt"
)

// scale is what was found with a large store.
type scale struct {
	Connections int     `json:"connections"`
	Filled      float64 `json:"filled_s"` // how long that took
	Spread      int     `json:"spread"`   // connections that are refreshed in turn
	Many        spread  `json:"many"`     // ratio of refreshing these to the small store
	Refreshes   uint64  `json:"refreshes"`
	PerSecond   float64 `json:"per_second"`
	Before      files   `json:"files_before"`
	After       files   `json:"files_after"`
}

// files are the sizes of what a data directory holds, in bytes.
type files struct {
	Database int64 `json:"database"`
	Log      int64 `json:"log"`
}

func (f files) total() int64 { return f.Database + f.Log }

func (f files) String() string { return fmt.Sprintf("%d + %d bytes", f.Database, f.Log) }

type large struct{ *process }

func (b *bench) enlarge() (*large, error) { return nil, errors.New("not yet") }

func (b *bench) scale(many *large, targets []target) error { return errors.New("not yet") }
