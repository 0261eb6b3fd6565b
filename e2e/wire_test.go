//go:build linux

package e2e

import (
	"net"
	"sync"
	"testing"
)

// wire is what lies between a node and its database, and can be cut: by bytes that
// stop, as when a cable is pulled, or by connections that are reset, as when a
// firewall is told to.
type wire struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	open    map[*net.TCPConn]struct{}
	stalled chan struct{} // closed while bytes pass; mu
	resets  bool          // mu
	whole   bool          // stalled is closed; mu
	over    sync.WaitGroup
}

// newWire returns a wire to an address, which is taken away when the test ends.
func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{listener: l, to: to, open: make(map[*net.TCPConn]struct{}), stalled: make(chan struct{}), whole: true}
	close(w.stalled)
	w.over.Go(w.serve)
	t.Cleanup(func() {
		l.Close()
		w.mend()
		w.reset()
		w.over.Wait()
	})
	return w
}

// Address is where the near end is.
func (w *wire) Address() string { return w.listener.Addr().String() }

func (w *wire) serve() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.over.Go(func() { w.join(near.(*net.TCPConn)) })
	}
}

// join joins a connection to one of the far end.
func (w *wire) join(near *net.TCPConn) {
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		near.Close()
		return
	}
	ends := [2]*net.TCPConn{near, far.(*net.TCPConn)}
	w.mu.Lock()
	for _, c := range ends {
		w.open[c] = struct{}{}
	}
	reset := w.resets
	w.mu.Unlock()
	if reset {
		w.reset()
	}
	var both sync.WaitGroup
	for i := range ends {
		both.Go(func() { w.carry(ends[i], ends[1-i]) })
	}
	both.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range ends {
		c.Close()
		delete(w.open, c)
	}
}

// carry carries bytes one way, while they may pass.
func (w *wire) carry(from, to *net.TCPConn) {
	defer to.CloseWrite()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		pass := w.stalled
		w.mu.Unlock()
		<-pass
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// stall lets no byte pass any more. Nobody is told.
func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.whole {
		w.stalled, w.whole = make(chan struct{}), false
	}
}

// refuse resets every connection, and each new one.
func (w *wire) refuse() {
	w.mu.Lock()
	w.resets = true
	w.mu.Unlock()
	w.reset()
}

func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.SetLinger(0) //nolint:errcheck // it may be closed already
		c.Close()
	}
}

// mend lets everything pass again.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resets = false
	if !w.whole {
		close(w.stalled)
		w.whole = true
	}
}
