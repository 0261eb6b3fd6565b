//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
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
	store, ring, err := openData(l.data)
	if err != nil {
		return nil, err
	}
	f := filling{store: store, ring: ring, app: symbolon.ClientID(g.ClientID), connections: b.Many, now: time.Now().Truncate(time.Millisecond)}
	l.tokens, err = f.fill(context.Background())
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	b.report.Scale = &scale{Connections: b.Many, Filled: time.Since(began).Seconds(), Spread: len(l.tokens)}
	if l.process, _, err = startServer(b.Server, l.data, log); err != nil {
		return nil, err
	}
	time.Sleep(b.Rest / 5)
	return l, b.idle("after start", "large store", l.process)
}

// filling puts accounts, apps, consents and connections into a store, by its
// own verbs.
type filling struct {
	store       symbolon.Store
	ring        *seal.Ring
	app         symbolon.ClientID // the app of the load, which has one connection in five
	connections int
	now         time.Time
}

const (
	perAccount = 4  // connections that an account has, each with another app
	otherApps  = 49 // beside that of the load
	history    = 90 * 24 * time.Hour
	writers    = 512 // changes under way at once, which the store gathers
)

// fill returns the refresh tokens of the connections of f.app, shuffled.
func (f *filling) fill(ctx context.Context) ([][]byte, error) {
	began := f.now.Add(-history)
	apps := make([]symbolon.ClientID, otherApps)
	for i := range apps {
		apps[i] = symbolon.NewClientID()
		_, secret := symbolon.NewSecret(began)
		app := symbolon.App{ID: apps[i], Name: fmt.Sprintf("Load app %d", i+1), Secrets: []symbolon.Secret{secret},
			RedirectURIs: []string{"https://app.example/cb"}, Scope: symbolon.Scopes{symbolon.ScopeConnect},
			Rotation: symbolon.RotateAlways, Sandbox: true, CreatedAt: began}
		if err := f.store.PutApp(ctx, app); err != nil {
			return nil, err
		}
	}
	accounts := make([]symbolon.Account, (f.connections+perAccount-1)/perAccount)
	err := inParallel(len(accounts), func(i int) error {
		accounts[i] = symbolon.Account{ID: symbolon.NewAccountID(), Username: fmt.Sprintf("load.person%07d", i),
			Name: fmt.Sprintf("Load Person %07d", i), Sandbox: true, CreatedAt: began}
		return f.store.PutAccount(ctx, accounts[i])
	})
	if err != nil {
		return nil, err
	}
	// The accounts connect in random order, so that what an account has lies
	// far apart, as it would.
	order := rand.Perm(len(accounts) * perAccount)
	tokens := make([][]byte, f.connections)
	err = inParallel(f.connections, func(i int) (err error) {
		account, nth := accounts[order[i]/perAccount], order[i]%perAccount
		app := apps[(order[i]/perAccount*perAccount+nth)%otherApps]
		if i%5 == 0 {
			app = f.app
		}
		at := began.Add(history / time.Duration(f.connections) * time.Duration(i)).Truncate(time.Millisecond)
		tokens[i], err = f.connect(ctx, account, app, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	tokens = slices.DeleteFunc(tokens, func(token []byte) bool { return token == nil })
	rand.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	return tokens, nil
}

// connect makes one connection as it would be some time after its birth. It
// returns the refresh token when the connection is of f.app.
func (f *filling) connect(ctx context.Context, account symbolon.Account, app symbolon.ClientID, at time.Time) ([]byte, error) {
	scope := symbolon.Scopes{symbolon.ScopeConnect}
	if err := f.store.Allow(ctx, symbolon.Consent{Account: account.ID, Client: app, Scope: scope, GrantedAt: account.CreatedAt}); err != nil {
		return nil, err
	}
	c := symbolon.Connection{ID: symbolon.NewConnectionID(at), Account: account.ID, Client: app, Scope: scope,
		CreatedAt: at, RefreshedAt: at, ExpiresAt: f.now.Add(180 * 24 * time.Hour)}
	if rand.IntN(4) > 0 { // the others were never refreshed
		c.Seq = rand.Uint64N(1000)
	}
	outcome, err := f.store.Connect(ctx, symbolon.Connect{Connection: c, CodeIssuedAt: at, Now: at})
	if err != nil {
		return nil, err
	}
	if outcome != symbolon.Connected {
		return nil, fmt.Errorf("connect: outcome %d", outcome)
	}
	if app != f.app {
		return nil, nil
	}
	token := symbolon.RefreshToken{Seq: c.Seq, Grant: symbolon.Grant{Connection: c.ID, Client: app, Account: account.ID,
		Name: account.Name, Scope: scope, AuthAt: at, IssuedAt: f.now, ExpiresAt: c.ExpiresAt}}
	plain, err := token.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	text, err := f.ring.Seal(seal.RefreshToken, plain, f.now)
	return []byte(text), err
}

// inParallel calls do with every number below n, many at once, in order of
// their beginning. It stops at the first error.
func inParallel(n int, do func(int) error) error {
	var (
		next  atomic.Int64
		wait  sync.WaitGroup
		once  sync.Once
		first error
	)
	for range writers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	wait.Wait()
	return first
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
