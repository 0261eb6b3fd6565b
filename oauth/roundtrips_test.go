package oauth

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/postgres"
)

// wire stands between the store and PostgreSQL and counts what goes over it.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	trips []string // the statements of each round trip; mu
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(c)
		}
	}()
	return w
}

func (w *wire) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	// Counted before it is sent on, and so before there can be an answer.
	_, _ = io.Copy(io.MultiWriter(&listener{wire: w, first: true, statements: make(map[string]string)}, server), client)
}

// listener reads what a client sends: the messages of PostgreSQL's protocol. A round
// trip ends with Sync, or is a simple query.
type listener struct {
	*wire
	rest       []byte // that is no whole message yet
	first      bool   // the first message has no letter
	statements map[string]string
	trip       []string
}

func (l *listener) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		head := 5
		if l.first {
			head = 4
		}
		if len(l.rest) < head {
			return len(b), nil
		}
		end := head - 4 + int(binary.BigEndian.Uint32(l.rest[head-4:]))
		if len(l.rest) < end {
			return len(b), nil
		}
		kind, parts := l.rest[0], strings.SplitN(string(l.rest[head:end]), "\x00", 3)
		switch {
		case l.first:
		case kind == 'P': // Parse: a name and the statement
			l.statements[parts[0]] = parts[1]
		case kind == 'B': // Bind: a portal and the statement's name
			l.trip = append(l.trip, l.statements[parts[1]])
		case kind == 'Q':
			l.note([]string{parts[0]})
		case kind == 'S':
			l.note(l.trip)
			l.trip = nil
		}
		l.first, l.rest = false, l.rest[end:]
	}
}

// note keeps a round trip, unless it only prepares a statement, or is none of a
// request: the sweep, which runs beside, and the look whether an idle connection
// still stands.
func (w *wire) note(trip []string) {
	all := strings.Join(trip, "; ")
	for _, beside := range []string{"SKIP LOCKED", "SELECT id, expires_at < $1", "SELECT browser, expires_at < $1", "-- ping"} {
		if strings.Contains(all, beside) {
			return
		}
	}
	if all != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.trips = append(w.trips, all)
	}
}

func (w *wire) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	trips := w.trips
	w.trips = nil
	return trips
}

// What each request costs PostgreSQL, when it comes alone. Requests that come
// together share their round trips.
func TestRoundTrips(t *testing.T) {
	c, err := pgtest.New(pgtest.Options{TCP: true, NoFsync: true, Settings: []string{"autovacuum=off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Remove)
	wire := newWire(t, c.Address())
	var db *postgres.DB
	t.Cleanup(func() { db.Close() })
	w := newWorldOn(t, func(clock symbolon.Clock) symbolon.Store {
		if db == nil {
			db, err = postgres.Open(t.Context(), postgres.Options{
				URL: c.TCPURL("postgres", wire.listener.Addr().String()), Create: &postgres.Create{}, Clock: clock, Wait: 20 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return db
	}, func(c *Config) { c.FeedBound = time.Hour }) // or the feed would be read in between
	w.edit(w.C2.ID, func(a *symbolon.App) { a.Rotation = symbolon.RotateNever })
	w.C2 = w.app(w.C2.ID)
	conn, err := pgx.Connect(context.Background(), c.URL("postgres"))
	w.ok(err)
	defer conn.Close(context.Background())
	written := func() (n int64) {
		w.ok(conn.QueryRow(context.Background(), `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`).Scan(&n))
		return n
	}

	lone := w.U2 // who has allowed nothing yet
	var rotating, kept, over *TokenResponse
	var code, used string
	renew := func() {
		rotating, kept, over = w.connected(&w.C1), w.connected(&w.C2), w.connected(&w.C1)
		code = w.code(&w.C1)
		used = rotating.RefreshToken
		rotating = w.refreshed(&w.C1, used)
	}
	in := Actor{Interactive: true, SignedIn: w.signedIn(lone), Chosen: lone.ID}
	// As docs/nodes.md has it.
	for _, step := range []struct {
		request       string
		trips, writes int // round trips, and transactions that write
		do            func() error
	}{
		{"authorize, up to the consent page", 1, 0, func() error {
			a, err := w.Authorize(w.ctx, w.request(&w.C1), in)
			if err == nil && a.Need != NeedConsent {
				t.Errorf("need %d", a.Need)
			}
			return err
		}},
		{"authorize, allowed before", 1, 0, func() error {
			_, err := w.Authorize(w.ctx, w.request(&w.C1), Actor{Interactive: true, SignedIn: w.signedIn(w.U1), Chosen: w.U1.ID})
			return err
		}},
		{"authorize, and the person allows", 5, 1, func() error {
			_, err := w.Authorize(w.ctx, w.request(&w.C1), Actor{Interactive: true, SignedIn: w.signedIn(lone), Chosen: lone.ID, Allowed: true})
			return err
		}},
		{"token", 1, 1, func() error { _, err := w.redeem(&w.C1, code); return err }},
		{"info", 0, 0, func() error { _, err := w.Info(w.ctx, Bearer(rotating.AccessToken)); return err }},
		{"introspect an access token", 0, 0, func() error {
			_, err := w.Introspect(w.ctx, w.query(&w.C1, rotating.AccessToken))
			return err
		}},
		{"introspect a refresh token", 1, 0, func() error {
			_, err := w.Introspect(w.ctx, w.query(&w.C1, rotating.RefreshToken))
			return err
		}},
		{"refresh", 1, 1, func() error { _, err := w.refresh(&w.C1, rotating.RefreshToken); return err }},
		{"refresh, rotation: never", 1, 0, func() error { _, err := w.refresh(&w.C2, kept.RefreshToken); return err }},
		{"refresh, again after a lost answer", 4, 1, func() error { _, err := w.refresh(&w.C1, used); return err }},
		{"invalidate", 5, 1, func() error { _, err := w.Invalidate(w.ctx, Bearer(over.AccessToken)); return err }},
	} {
		// The second time, when the statements are prepared.
		for round := range 2 {
			w.U2 = lone
			w.end(symbolon.End{Account: lone.ID, Client: w.C1.ID})
			w.clock.pass(time.Second)
			in.SignedIn = w.signedIn(lone)
			renew()
			if step.request == "refresh, again after a lost answer" {
				used = w.connected(&w.C1).RefreshToken
				w.refreshed(&w.C1, used)
			}
			wire.taken()
			before := written()
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.request, err)
			}
			writes, trips := int(written()-before), wire.taken()
			if round == 1 && (len(trips) != step.trips || writes != step.writes) {
				t.Errorf("%s: %d round trips and %d transactions that write, want %d and %d:\n%s",
					step.request, len(trips), writes, step.trips, step.writes, strings.Join(trips, "\n"))
			}
		}
	}
}
