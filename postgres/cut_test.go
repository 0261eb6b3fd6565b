package postgres

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// cut is where a connection breaks.
type cut uint8

const (
	nowhere    cut = iota
	unsent         // before the message is sent
	unanswered     // after it is sent and the server has had time to act
)

// commit is how the message begins and ends that asks for a commit.
const commit = "\x0bcommit\x00"

// cutter dials connections that break, once, at the message that says so.
type cutter struct {
	mu    sync.Mutex
	where cut
	at    string // what the message holds
	hits  int
}

// next has the next connection break that sends a message with at in it.
func (c *cutter) next(where cut, at string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.where, c.at, c.hits = where, at, 0
}

// hit reports where to break a connection that sends the message.
func (c *cutter) hit(message []byte) cut {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.where == nowhere || !bytes.Contains(message, []byte(c.at)) {
		return nowhere
	}
	where := c.where
	c.where = nowhere
	c.hits++
	return where
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	return &cutConn{Conn: conn, cutter: c}, err
}

type cutConn struct {
	net.Conn
	*cutter
	deaf atomic.Bool
}

func (c *cutConn) Read(b []byte) (int, error) {
	if c.deaf.Load() {
		return 0, errors.New("cut")
	}
	return c.Conn.Read(b)
}

func (c *cutConn) Write(b []byte) (int, error) {
	switch c.hit(b) {
	case unsent:
		return 0, errors.Join(errors.New("cut"), c.Conn.Close())
	case unanswered:
		c.deaf.Store(true) // the driver reads beside a write that takes long
		n, err := c.Conn.Write(b)
		time.Sleep(200 * time.Millisecond)
		return n, errors.Join(err, c.Conn.Close())
	}
	return c.Conn.Write(b)
}

// The statements are prepared under other names, so a message is known by an
// argument in it: the id, or a name.
func TestConnectionsThatBreak(t *testing.T) { // C3, C35, I3, I5
	cuts := &cutter{}
	w := seed(t, 8, Options{dial: cuts.dial})
	other := &seeded{DB: open(t, theCluster(t).URL(w.name), Options{}), ids: w.ids, account: w.account, client: w.client}
	ctx := t.Context()
	seq := func(i int) uint64 {
		rows, err := other.Connections(ctx, symbolon.ConnectionQuery{ID: w.ids[i], Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		return rows[0].Seq
	}
	kind := func(err error, want symbolon.Kind) {
		t.Helper()
		if err == nil || symbolon.KindOf(err) != want {
			t.Fatalf("got %v, want one of kind %q", err, want)
		}
		if cuts.hits != 1 {
			t.Fatalf("%d connections were cut", cuts.hits)
		}
	}
	id := func(i int) string { return string(w.ids[i][:]) }
	if err := w.rotate(7); err != nil { // everything is prepared
		t.Fatal(err)
	}

	t.Run("a refresh that was not sent is sent again", func(t *testing.T) {
		cuts.next(unsent, id(0))
		if err := w.rotate(0); err != nil || cuts.hits != 1 {
			t.Fatal(err, cuts.hits)
		}
	})
	t.Run("a refresh that was sent is Unknown, and repeated when it is asked for again", func(t *testing.T) {
		cuts.next(unanswered, id(1))
		kind(w.rotate(1), symbolon.Unknown)
		if got := seq(1); got != 1 {
			t.Fatalf("the row has %d", got)
		}
		got, err := w.Refresh(ctx, w.token(1, 0))
		if err != nil || got.Result != symbolon.Repeated || got.Seq != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
	t.Run("an end whose COMMIT was not sent is made again", func(t *testing.T) {
		cuts.next(unsent, commit)
		n, err := w.End(ctx, symbolon.End{Connection: w.ids[2], Now: time.Now()})
		if err != nil || n != 1 || cuts.hits != 1 {
			t.Fatal(n, err, cuts.hits)
		}
	})
	t.Run("an end that broke before COMMIT is made again, once", func(t *testing.T) {
		cuts.next(unanswered, id(3))
		n, err := w.End(ctx, symbolon.End{Connection: w.ids[3], Now: time.Now()})
		if err != nil || n != 1 || cuts.hits != 1 {
			t.Fatal(n, err, cuts.hits)
		}
	})
	t.Run("an end whose COMMIT was sent is Unknown, and is there", func(t *testing.T) {
		cuts.next(unanswered, commit)
		_, err := w.End(ctx, symbolon.End{Connection: w.ids[4], Now: time.Now()})
		kind(err, symbolon.Unknown)
		if n, err := w.End(ctx, symbolon.End{Connection: w.ids[4], Now: time.Now()}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	})
	t.Run("a redemption that was sent is Unknown, and there once", func(t *testing.T) {
		c := w.code(time.Now())
		cuts.next(unanswered, string(c.Connection.ID[:]))
		kind(w.redeem(c), symbolon.Unknown)
		if got, err := w.Connect(ctx, c); got != symbolon.CodeReplayed || err != nil {
			t.Fatal(got, err)
		}
	})
	t.Run("a use that was sent is Unknown, and there once", func(t *testing.T) {
		o := symbolon.Once{Key: [32]byte{1, 2, 3}, Value: []byte("this very use"), Now: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}
		cuts.next(unanswered, string(o.Value))
		_, _, err := w.Once(ctx, o)
		kind(err, symbolon.Unknown)
		if value, first, err := w.Once(ctx, o); string(value) != string(o.Value) || first || err != nil {
			t.Fatal(value, first, err)
		}
	})
	t.Run("an edit whose COMMIT was sent is Unknown", func(t *testing.T) {
		cuts.next(unanswered, commit)
		kind(w.PutApp(ctx, symbolon.App{ID: "cut", CreatedAt: time.Now()}), symbolon.Unknown)
		if err := w.PutApp(ctx, symbolon.App{ID: "cut"}); symbolon.KindOf(err) != symbolon.Conflict {
			t.Fatal(err)
		}
	})
	t.Run("a read that broke is read again", func(t *testing.T) {
		cuts.next(unanswered, "jane")
		list, err := w.Accounts(ctx, symbolon.AccountQuery{Username: "jane", Limit: 1})
		if err != nil || len(list) != 1 || cuts.hits != 1 {
			t.Fatal(list, err, cuts.hits)
		}
	})
}
