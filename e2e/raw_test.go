//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial opens a connection to the server, for requests that no HTTP client
// would send.
func (s *server) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.host())
	must(t, err)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// host is where the server listens.
func (s *server) host() string {
	_, host, _ := strings.Cut(s.base, "://")
	return host
}

// rawGet asks for a path exactly as it is written. Headers are whole lines.
func rawGet(t testing.TB, s *server, path string, headers ...string) *reply {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", path, s.host())
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return raw(t, s, b.String()+"\r\n")
}

// raw sends bytes and reads one answer.
func raw(t testing.TB, s *server, text string) *reply {
	t.Helper()
	c := s.dial(t)
	go io.WriteString(c, text) //nolint:errcheck // the server may hang up early
	r, err := readReply(bufio.NewReader(c))
	if err != nil {
		t.Fatalf("%.60q: %v", text, err)
	}
	return r
}

// readReply reads one answer of a connection.
func readReply(from *bufio.Reader) (*reply, error) {
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &reply{Status: res.StatusCode, Header: res.Header}
	if r.Body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	if d.Decode(&r.JSON) != nil {
		r.JSON = nil
	}
	secret(kindSecret, r.text("code"), r.text("access_token"), r.text("refresh_token"))
	return r, nil
}

// eventually asks for up to twenty seconds: the machine may be busy.
func eventually(ok func() bool) bool {
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}
