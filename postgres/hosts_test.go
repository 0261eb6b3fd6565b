package postgres

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// swallowing is a connection that loses a message, once.
type swallowing struct {
	net.Conn
	lose *atomic.Int32
}

func (c *swallowing) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("transaction_read_only")) && c.lose.Add(-1) >= 0 {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// C35: a host that falls silent while it is asked whether it takes changes. The
// driver then dials it once more, beside us, to cancel the question: the race
// detector sees whether that disturbs what is learnt of the hosts.
func TestAHostThatFallsSilentWhenItIsAsked(t *testing.T) {
	var lose atomic.Int32
	var dialled atomic.Int32
	w := seed(t, 1, Options{Wait: 2 * time.Second, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		return &swallowing{c, &lose}, err
	}})
	if w.hosts.last.Load() == nil {
		t.Fatal("which host takes changes is not learnt")
	}
	lose.Store(1)
	before := dialled.Load()
	w.hot.Reset()
	began := time.Now()
	err := w.rotate(0)
	for err != nil && time.Since(began) < 20*time.Second {
		err = w.rotate(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := dialled.Load() - before; n < 3 {
		t.Fatalf("dialled %d times: nothing was cancelled", n)
	}
}
