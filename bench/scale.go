//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// scale is what was found with a large store.
type scale struct {
	Connections int         `json:"connections"`
	Filled      float64     `json:"filled_s"` // how long that took
	Spread      int         `json:"spread"`   // connections that are refreshed in turn, in random order
	InTurn      measurement `json:"in_turn"`  // refreshing those, beside one chain a connection in a small one
	Refreshes   uint64      `json:"refreshes"`
	PerSecond   float64     `json:"per_second"`
	Before      files       `json:"files_before"`
	After       files       `json:"files_after"`
}

// files are the sizes of what a data directory holds, in bytes.
type files struct {
	Database int64 `json:"database"`
	Log      int64 `json:"log"` // the write-ahead log, which is used over and over
}

func (f files) String() string {
	return fmt.Sprintf("database %.1f MB, write-ahead log %.1f MB", float64(f.Database)/1e6, float64(f.Log)/1e6)
}

func filesIn(dir string) (f files, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(path, "-wal"):
			f.Log += info.Size()
		case strings.HasSuffix(path, ".db"):
			f.Database += info.Size()
		}
		return nil
	})
	if err == nil && f.Database == 0 {
		err = fmt.Errorf("%s holds no *.db", dir)
	}
	return f, err
}

// large is a server on a store of many connections.
type large struct {
	*process
	data   string
	tokens [][]byte // refresh tokens of connections in the store, in random order
}

// enlarge makes a data directory with many connections, as if they had been
// made one after another in the last months, and starts a server on it.
func (b *bench) enlarge() (*large, error) {
	l := &large{data: filepath.Join(b.Dir, "large")}
	log := filepath.Join(b.Dir, "large.log")
	p, g, err := startServer(b.Server, l.data, log) // makes the keys and the sandbox app
	if err != nil {
		return nil, err
	}
	if err := p.stop(); err != nil {
		return nil, err
	}
	b.progress("filling a store with %d connections", b.Many)
	began := time.Now()
	f := &filling{app: symbolon.ClientID(g.ClientID), connections: b.Many, every: 5, tokens: b.Many, now: began.Truncate(time.Millisecond)}
	list, err := fillSQLite(l.data, f)
	if err != nil {
		return nil, err
	}
	if l.tokens, err = refreshTokens(f.ring, list, f.now); err != nil {
		return nil, err
	}
	b.report.Scale = &scale{Connections: b.Many, Filled: time.Since(began).Seconds(), Spread: len(l.tokens)}
	if l.process, _, err = startServer(b.Server, l.data, log); err != nil {
		return nil, err
	}
	time.Sleep(b.Rest / 5)
	return l, b.idle("after start", "large store", l.process)
}

// scale measures refreshes of many connections in turn, and what they do to
// the files.
func (b *bench) scale(l *large, targets []target) error {
	many := make([]talk, b.Connections)
	for i := range many {
		r := &refresh{flow: flow{caller: l.app}}
		for at := i; at < len(l.tokens); at += len(many) {
			r.tokens = append(r.tokens, l.tokens[at])
		}
		many[i] = r
	}
	one := b.same(scenarios[1])
	figures, err := b.rounds("refresh of many in turn", targets, func(t target) ([]talk, error) {
		if t.name == onLarge {
			return many, nil
		}
		return one(t)
	})
	if err != nil {
		return err
	}
	s := b.report.Scale
	s.InTurn = measurement{Name: "refresh of many in turn", Goal: scenarios[1].goal, Figures: figures}
	if s.Before, err = filesIn(l.data); err != nil {
		return err
	}
	b.progress("%d refreshes", b.Refreshes)
	o, err := load(target{name: onLarge, nodes: []*process{l.process}}, many, span{count: uint64(b.Refreshes)})
	if err != nil {
		return err
	}
	b.check("refreshes", o)
	s.Refreshes, s.PerSecond = o.done, o.perSecond()
	s.After, err = filesIn(l.data)
	return err
}
