//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// burst is a set of open connections to a server, on which requests are
// released at one instant: each is sent but for its last byte, and then the
// last bytes of all are sent.
type burst struct {
	s     *server
	conns []net.Conn
	read  []*bufio.Reader
}

func (s *server) newBurst(t testing.TB, n int) *burst {
	t.Helper()
	b := &burst{s: s}
	for range n {
		c, err := net.Dial("tcp", s.host())
		must(t, err)
		c.(*net.TCPConn).SetNoDelay(true)
		t.Cleanup(func() { c.Close() })
		b.conns = append(b.conns, c)
		b.read = append(b.read, bufio.NewReader(c))
	}
	return b
}

// postText is a POST of a form, as bytes.
func (s *server) postText(path string, v url.Values) string {
	body := v.Encode()
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, s.host(), len(body), body)
}

// getText is a GET with an access token, as bytes.
func (s *server) getText(path, token string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, s.host(), token)
}

// release sends a request on each of the first connections, all at one
// instant, and returns the answers in the order of the requests.
func (b *burst) release(t testing.TB, requests []string) []*reply {
	t.Helper()
	replies := make([]*reply, len(requests))
	errs := make([]error, len(requests))
	deadline := time.Now().Add(60 * time.Second)
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i, text := range requests {
		ready.Add(1)
		done.Go(func() {
			c := b.conns[i]
			c.SetDeadline(deadline)
			_, errs[i] = c.Write([]byte(text[:len(text)-1]))
			ready.Done()
			<-gate
			if errs[i] == nil {
				_, errs[i] = c.Write([]byte(text[len(text)-1:]))
			}
			if errs[i] == nil {
				replies[i], errs[i] = readReply(b.read[i])
			}
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("request %d of the burst: %v\n%s", i, err, b.s.dump())
		}
	}
	return replies
}

// many is a request n times.
func many(n int, text string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = text
	}
	return list
}
