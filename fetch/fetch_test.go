package fetch

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// clock is a symbolon.Clock that moves when it is told to.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Unix(0, c.now.Load()) }
func (c *clock) pass(d time.Duration) { c.now.Add(int64(d)) }

// host is a server on TLS that strangers run, under any name in example.com.
type host struct {
	*httptest.Server
	t     *testing.T
	clock *clock
	seen  atomic.Int64
	last  atomic.Pointer[http.Request]
	conns atomic.Int64
	// answers are what the names resolve to, by turns.
	lookups atomic.Int64
}

func newHost(t *testing.T, answer http.HandlerFunc) *host {
	h := &host{t: t, clock: new(clock)}
	h.clock.now.Store(1_790_000_000e9)
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.seen.Add(1)
		h.last.Store(r)
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.conns.Add(1)
		}
	}
	h.Config.ErrorLog = nil
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

// client reaches the host by each name of example.com, and no other address.
func (h *host) client(change ...func(*Options)) *Client {
	o := Options{
		Clock:   h.clock,
		Roots:   x509.NewCertPool(),
		Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			h.lookups.Add(1)
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
	o.Roots.AddCert(h.Certificate())
	for _, f := range change {
		f(&o)
	}
	return New(o)
}

// url is the address of a path by a name for which the certificate is good.
func (h *host) url(path string) string {
	u, _ := url.Parse(h.URL)
	return "https://example.com:" + u.Port() + path
}

func get(t *testing.T, c *Client, url string) (Document, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.Get(ctx, url)
}

func fails(t *testing.T, err error, kind symbolon.Kind) {
	t.Helper()
	if err == nil || symbolon.KindOf(err) != kind {
		t.Errorf("error %v, want one of kind %v", err, kind)
	}
}

// CIMD-5-a: 200 only, JSON only, small, at once, no cookies, no redirects.
func TestGet(t *testing.T) {
	const doc = `{"client_id":"x"}`
	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			fmt.Fprint(w, doc)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			fmt.Fprint(w, doc)
		}
	}
	size := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", n)) }
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		kind   symbolon.Kind
		ok     bool
	}{
		{name: "a document", answer: header("X", "y"), ok: true},
		{name: "another type of JSON", answer: header("Content-Type", "application/vnd.x+json; charset=utf-8"), ok: true},
		{name: "of the largest size", answer: size(5 << 10), ok: true},
		{name: "one byte more", answer: size(5<<10 + 1), kind: symbolon.Denied},
		{name: "without end", answer: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, kind: symbolon.Denied},
		{name: "says that it is too large", answer: header("Content-Length", "999999"), kind: symbolon.Denied},
		{name: "HTML", answer: header("Content-Type", "text/html"), kind: symbolon.Denied},
		{name: "JSON as text", answer: header("Content-Type", "text/json"), kind: symbolon.Denied},
		{name: "another character set", answer: header("Content-Type", "application/json; charset=utf-16"), kind: symbolon.Denied},
		{name: "no type", answer: header("Content-Type", ""), kind: symbolon.Denied},
		{name: "B82: compressed", answer: header("Content-Encoding", "gzip"), kind: symbolon.Denied},
		{name: "201", answer: status(201), kind: symbolon.NotFound},
		{name: "204", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, kind: symbolon.NotFound},
		{name: "301", answer: status(301), kind: symbolon.NotFound},
		{name: "302", answer: status(302), kind: symbolon.NotFound},
		{name: "303", answer: status(303), kind: symbolon.NotFound},
		{name: "307", answer: status(307), kind: symbolon.NotFound},
		{name: "308", answer: status(308), kind: symbolon.NotFound},
		{name: "404", answer: status(404), kind: symbolon.NotFound},
		{name: "500", answer: status(500), kind: symbolon.NotFound},
		{name: "B82: slow", answer: func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, kind: symbolon.NotFound},
		{name: "hung up in the middle", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, doc)
			panic(http.ErrAbortHandler)
		}, kind: symbolon.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
				c.answer(w, r)
			})
			client := h.client(func(o *Options) { o.Timeout = 500 * time.Millisecond })
			began := time.Now()
			got, err := get(t, client, h.url("/client.json"))
			if c.ok != (err == nil) {
				t.Fatalf("%d bytes, %v", len(got.Body), err)
			}
			if !c.ok {
				fails(t, err, c.kind)
			}
			if time.Since(began) > 3*time.Second {
				t.Error("it took longer than the bound")
			}
			if n := h.seen.Load(); n != 1 {
				t.Errorf("%d requests came", n)
			}
			r := h.last.Load()
			if r.Header.Get("Accept") != "application/json" || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
				t.Errorf("sent %v", r.Header)
			}
			if c.ok { // a second time, without what the first one set
				if _, err := get(t, client, h.url("/client.json")); err != nil || h.last.Load().Header.Get("Cookie") != "" {
					t.Errorf("the second time: %v, sent %v", err, h.last.Load().Header)
				}
			}
		})
	}
}

// The environment's proxies are not asked, which would resolve names themselves.
func TestNoProxy(t *testing.T) {
	if New(Options{}).http.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is asked")
	}
}

func TestURLs(t *testing.T) {
	var looked atomic.Int64
	o := Options{Lookup: func(context.Context, string) ([]netip.Addr, error) {
		looked.Add(1)
		return nil, context.Canceled
	}}
	for _, u := range []string{
		"", "/x", "example.com/x", "http://example.com/x", "http://127.0.0.1/x", "ftp://example.com/x", "file:///etc/passwd", "gopher://example.com/",
		"https:///x", "https://:443/x", "https:example.com", "https://u@example.com/", "https://u:p@example.com/", "https://example.com/#x", "https://example.com/#",
		"https://example.com/\n", "https://exa mple.com/", "https://example.com/" + strings.Repeat("x", 2000),
	} {
		_, err := get(t, New(o), u)
		fails(t, err, symbolon.Denied)
	}
	if looked.Load() != 0 {
		t.Errorf("%d names were looked up", looked.Load())
	}
	o.Loopback = true
	for _, u := range []string{"http://example.com/x", "http://127.0.0.2/x", "http://localhost.example.com/", "http://[::]/", "http://0.0.0.0/"} {
		_, err := get(t, New(o), u)
		fails(t, err, symbolon.Denied)
	}
}

// CIMD-8.6-a, B82: every special-use address is refused after the name is
// resolved, and as a literal, before a connection is made.
func TestSpecialAddresses(t *testing.T) {
	for name, list := range map[string][]string{
		"this network":       {"0.0.0.0", "0.1.2.3"},
		"private":            {"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"},
		"CGNAT":              {"100.64.0.1", "100.127.255.255"},
		"loopback":           {"127.0.0.1", "127.255.255.254", "::1"},
		"link-local":         {"169.254.0.1", "fe80::1", "febf::1"},
		"cloud metadata":     {"169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"},
		"IETF":               {"192.0.0.1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1"},
		"documentation":      {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"6to4":               {"192.88.99.1", "2002:7f00:1::1", "2002:a00:1::"},
		"Teredo":             {"2001:0:7f00:1::"},
		"AS112 and AMT":      {"192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"},
		"benchmarks":         {"198.18.0.1", "198.19.255.255"},
		"multicast":          {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"reserved":           {"240.0.0.1", "255.255.255.254"},
		"broadcast":          {"255.255.255.255"},
		"unspecified":        {"::"},
		"IPv4 mapped":        {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"},
		"IPv4 compatible":    {"::127.0.0.1", "::8.8.8.8"},
		"NAT64":              {"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"},
		"discard":            {"100::1"},
		"unique local":       {"fc00::1", "fd00::1", "fdff::1"},
		"site-local, of old": {"fec0::1"},
		"segment routing":    {"5f00::1"},
		"not assigned":       {"4000::1", "e000::1"},
	} {
		for _, text := range list {
			a := netip.MustParseAddr(text)
			if public(a) {
				t.Errorf("%s: %s counts as public", name, text)
			}
			c := New(Options{Timeout: time.Second, Lookup: func(context.Context, string) ([]netip.Addr, error) {
				// Beside a public one, which must not help.
				return []netip.Addr{netip.MustParseAddr("8.8.8.8"), a}, nil
			}})
			if text != "::ffff:8.8.8.8" { // which a resolver may say for 8.8.8.8
				_, err := get(t, c, "https://example.com/x")
				fails(t, err, symbolon.Denied)
			}
			literal := text
			if a.Is6() {
				literal = "[" + text + "]"
			}
			_, err := get(t, c, "https://"+literal+"/x")
			fails(t, err, symbolon.Denied)
		}
	}
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "223.255.255.255", "2606:4700::1111", "2a00::1", "2620:4f:8001::1"} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s does not count as public", text)
		}
	}
	if public(netip.MustParseAddr("2a00::1%eth0")) || public(netip.Addr{}) {
		t.Error("a zone, or no address, counts as public")
	}
	for _, u := range []string{"https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://[fe80::1%25eth0]/"} {
		c := New(Options{Timeout: time.Second, Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil // as some resolvers read them
		}})
		if _, err := get(t, c, u); err == nil {
			t.Errorf("%s is fetched", u)
		}
	}
}

// CIMD-8.6-a: a name that changes its address between the look and the
// connection gains nothing, since it is asked once.
func TestRebinding(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
	var asked atomic.Int64
	c := h.client(func(o *Options) {
		o.Allowed, o.Timeout = nil, time.Second
		o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			if asked.Add(1) == 1 {
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		// The first answer is one that may be reached, though no one is there.
		o.Allowed = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	})
	if _, err := get(t, c, h.url("/")); err == nil {
		t.Error("it was fetched")
	}
	if asked.Load() != 1 || h.conns.Load() != 0 {
		t.Errorf("the name was asked %d times, %d connections came", asked.Load(), h.conns.Load())
	}
	// What is not allowed is not connected to, either.
	h.clock.pass(time.Hour)
	_, err := get(t, c, h.url("/"))
	fails(t, err, symbolon.Denied)
	if h.conns.Load() != 0 {
		t.Error("a connection came")
	}
}

// This computer is reached in the sandbox only, and by no name but its own.
func TestLoopback(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	}))
	defer plain.Close()
	here := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	if _, err := get(t, New(Options{}), plain.URL+"/x"); err == nil {
		t.Error("http is fetched outside of the sandbox")
	}
	sandbox := New(Options{Loopback: true, Lookup: here})
	for _, u := range []string{plain.URL + "/x", strings.Replace(plain.URL, "127.0.0.1", "localhost", 1) + "/x"} {
		if _, err := get(t, sandbox, u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	_, err := get(t, sandbox, "https://rebound.example.com/x")
	fails(t, err, symbolon.Denied)
}

// Whoever asks for the same URL at the same time shares one fetch, and one who
// hangs up ends it for none.
func TestSingleFlight(t *testing.T) {
	gate := make(chan struct{})
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { <-gate; fmt.Fprint(w, `{}`) })
	c := h.client()
	impatient, hangUp := context.WithCancel(context.Background())
	first := make(chan error)
	go func() { _, err := c.Get(impatient, h.url("/a")); first <- err }()
	for h.seen.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	hangUp()
	fails(t, <-first, symbolon.Busy)
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if _, err := get(t, c, h.url("/a")); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(gate)
	wait.Wait()
	if n := h.seen.Load(); n != 1 {
		t.Errorf("%d requests came, want 1", n)
	}
}

// CIMD-5.2-a: a failure is remembered, shortly.
func TestFailuresAreRemembered(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	c := h.client()
	for range 10 {
		_, err := get(t, c, h.url("/a"))
		fails(t, err, symbolon.NotFound)
	}
	if n := h.seen.Load(); n != 1 {
		t.Errorf("%d requests came, want 1", n)
	}
	h.clock.pass(30 * time.Second)
	_, err := get(t, c, h.url("/a"))
	fails(t, err, symbolon.NotFound)
	if n := h.seen.Load(); n != 2 {
		t.Errorf("%d requests came, want 2", n)
	}
	for i := range maxRefused {
		c.refused[fmt.Sprint(i)] = refusal{}
	}
	h.clock.pass(time.Minute)
	_, _ = get(t, c, h.url("/b"))
	if len(c.refused) > maxRefused {
		t.Errorf("%d failures are remembered", len(c.refused))
	}
}

// CIMD-8-a: 1000 hosts, or one host with 1000 documents, cost little.
func TestLimits(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	port := h.url("")[len("https://example.com:"):]
	flood := func(c *Client, address func(i int) string) (busy int) {
		for i := range 1000 {
			if _, err := get(t, c, address(i)); symbolon.KindOf(err) == symbolon.Busy {
				busy++
			}
		}
		return busy
	}
	hosts := func(i int) string { return fmt.Sprintf("https://h%d.example.com:%s/", i, port) }
	paths := func(i int) string { return h.url(fmt.Sprint("/", i)) }
	c := h.client()
	if busy := flood(c, paths); busy != 980 || h.lookups.Load() != 20 {
		t.Errorf("one host: %d of 1000 are put off and %d looked up, want 980 and 20", busy, h.lookups.Load())
	}
	h.lookups.Store(0)
	if busy := flood(c, hosts); busy != 780 || h.lookups.Load() != 220 {
		t.Errorf("many hosts: %d of 1000 are put off and %d looked up, want 780 and 220", busy, h.lookups.Load())
	}
	if n := len(c.limits.byHost); n > 240 {
		t.Errorf("%d hosts are counted", n)
	}
	h.clock.pass(time.Minute)
	h.lookups.Store(0)
	if _, err := get(t, c, paths(5000)); symbolon.KindOf(err) == symbolon.Busy || h.lookups.Load() != 1 {
		t.Errorf("a minute later: %v", err)
	}
	if n := len(c.limits.byHost); n != 1 {
		t.Errorf("a minute later, %d hosts are counted", n)
	}
}

// A host that stands still holds up itself, and 16 of them all others for no
// longer than a fetch may take.
func TestAtOnce(t *testing.T) {
	gate := make(chan struct{})
	h := newHost(t, func(w http.ResponseWriter, _ *http.Request) { <-gate; fmt.Fprint(w, `{}`) })
	port := h.url("")[len("https://example.com:"):]
	c := h.client()
	var wait sync.WaitGroup
	for i := range 18 {
		// Two of each of nine hosts; the certificate is good for *.example.com.
		u := fmt.Sprintf("https://h%d.example.com:%s/%d", i/2, port, i)
		if i < 16 {
			wait.Go(func() {
				if _, err := get(t, c, u); err != nil && !strings.Contains(err.Error(), "certificate") {
					t.Error(err)
				}
			})
			for len(c.limits.running) != i+1 {
				time.Sleep(time.Millisecond)
			}
			if i == 3 {
				_, err := get(t, c, fmt.Sprintf("https://h1.example.com:%s/third", port))
				fails(t, err, symbolon.Busy)
			}
			continue
		}
		_, err := get(t, c, u)
		fails(t, err, symbolon.Busy)
	}
	close(gate)
	wait.Wait()
	for len(c.limits.running) != 0 {
		time.Sleep(time.Millisecond)
	}
}
