// Package fetch reads small JSON documents from URLs that strangers chose: a
// client ID metadata document, an app's key set. It can be made to reach nothing
// but public addresses, and it bounds what one document, one host and all hosts
// together may cost.
//
// The host is resolved once; every address of it is looked at, and the
// connection goes to one of just these, so that a second answer of its DNS
// changes nothing. Redirects are not followed, cookies not kept, proxies of the
// environment not asked.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

const op = "fetch"

// Options are what a Client is made of. Zero values get the defaults that stand
// at the fields.
type Options struct {
	// MaxBytes bounds a document: 5 KiB.
	MaxBytes int
	// Timeout bounds a fetch, from the lookup of the name to the last byte: 5 s.
	Timeout time.Duration
	// MinAge and MaxAge bound how long a document may be kept, whatever its
	// headers say: a minute and a day. DefaultAge is for one that says nothing:
	// five minutes.
	MinAge, MaxAge, DefaultAge time.Duration
	// Refused is how long a URL that failed is not tried again: 30 s.
	Refused time.Duration
	// AtOnce bounds the fetches that run at the same time: 16 for all hosts
	// together. HostAtOnce does so for one host: 2.
	AtOnce, HostAtOnce int
	// PerMinute bounds the fetches that begin in a minute: 240 for all hosts
	// together. HostPerMinute does so for one host: 20.
	PerMinute, HostPerMinute int
	// Loopback lets URLs name this very computer, by http too. It is for trying
	// out, and for nothing else.
	Loopback bool
	// Allowed are addresses that are reached although they are not public, for
	// an owner whose apps live in a network of their own.
	Allowed []netip.Prefix
	// Types are the media types that are taken: those of JSON.
	Types []string
	// Roots are the authorities that https trusts: the system's.
	Roots *x509.CertPool
	// Lookup resolves a name: by the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Clock tells the time: the system's.
	Clock symbolon.Clock
}

// Document is what was fetched.
type Document struct {
	// Body is JSON, or one of Options.Types, by its Content-Type; nothing else is known
	// of it.
	Body []byte
	// MaxAge is how long it may be kept, by its headers and within the bounds
	// (RFC 9111 §4.2).
	MaxAge time.Duration
}

// Client fetches. It may be used by many goroutines at once.
type Client struct {
	options Options
	http    *http.Client
	limits  *limits

	mu      sync.Mutex
	flights map[string]*flight // by URL
	refused map[string]refusal // by URL
}

// flight is a fetch that runs, for all who wait for it.
type flight struct {
	done chan struct{}
	doc  Document
	err  error
}

// refusal is a URL that failed.
type refusal struct {
	err   error
	until time.Time
}

// maxRefused bounds the failures that are remembered.
const maxRefused = 4096

// maxURL bounds a URL, in bytes.
const maxURL = 2000

// New returns a Client.
func New(o Options) *Client {
	o = o.withDefaults()
	c := &Client{
		options: o,
		limits:  newLimits(o),
		flights: make(map[string]*flight),
		refused: make(map[string]refusal),
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			// No Proxy: it would resolve the name a second time, and elsewhere.
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true, // each fetch looks at the address anew
			DisableCompression:     true, // what is counted is what is read
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func (o Options) withDefaults() Options {
	number := func(d *int, value int) {
		if *d == 0 {
			*d = value
		}
	}
	span := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	number(&o.MaxBytes, 5<<10)
	span(&o.Timeout, 5*time.Second)
	span(&o.MinAge, time.Minute)
	span(&o.MaxAge, 24*time.Hour)
	span(&o.DefaultAge, 5*time.Minute)
	span(&o.Refused, 30*time.Second)
	number(&o.AtOnce, 16)
	number(&o.HostAtOnce, 2)
	number(&o.PerMinute, 240)
	number(&o.HostPerMinute, 20)
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return o
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// Get fetches the document at a URL. All who ask for the same URL at the same
// time share one fetch, and a URL that failed is not tried again for a while.
//
// The error is of kind Busy when a limit was reached, so that nothing is known
// of the document; of kind Denied when the URL may not be fetched or what came
// is no document; of kind NotFound when nothing came. It names no address, and
// is for the log: whoever chose the URL learns the same, whatever failed.
func (c *Client) Get(ctx context.Context, address string) (Document, error) {
	u, err := c.check(address)
	if err != nil {
		return Document{}, err
	}
	now := c.options.Clock.Now()
	c.mu.Lock()
	if r, ok := c.refused[address]; ok && now.Before(r.until) {
		c.mu.Unlock()
		return Document{}, r.err
	}
	f := c.flights[address]
	if f == nil {
		release, err := c.limits.begin(strings.ToLower(u.Hostname()), now)
		if err != nil {
			c.mu.Unlock()
			return Document{}, err
		}
		f = &flight{done: make(chan struct{})}
		c.flights[address] = f
		// For all who wait: that one of them hangs up ends it for none.
		go c.fly(context.WithoutCancel(ctx), address, f, release)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.doc, f.err
	case <-ctx.Done():
		return Document{}, symbolon.Wrap(symbolon.Busy, op, ctx.Err())
	}
}

// fly runs a fetch and tells all who wait.
func (c *Client) fly(ctx context.Context, address string, f *flight, release func()) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	f.doc, f.err = c.fetch(ctx, address)
	release()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, address)
	if f.err != nil {
		if len(c.refused) >= maxRefused {
			clear(c.refused)
		}
		c.refused[address] = refusal{f.err, c.options.Clock.Now().Add(c.options.Refused)}
	}
	close(f.done)
}

// check reports whether a URL may be fetched at all.
func (c *Client) check(address string) (*url.URL, error) {
	no := func(why string) error { return symbolon.Errorf(symbolon.Denied, op, "%s", why) }
	if len(address) > maxURL {
		return nil, no("the URL is longer than 2000 bytes")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return nil, no("it is not a URL with a host")
	}
	switch {
	case u.User != nil:
		return nil, no("the URL names a user")
	case u.Fragment != "" || strings.Contains(address, "#"):
		return nil, no("the URL has a fragment")
	case u.Scheme == "https":
	case u.Scheme == "http" && c.options.Loopback && isLoopback(u.Hostname()):
	default:
		return nil, no("the URL is not https")
	}
	return u, nil
}

// isLoopback reports whether a host is spelled as this very computer.
func isLoopback(host string) bool {
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

// fetch gets the document. Nothing of the answer is in the error.
func (c *Client) fetch(ctx context.Context, address string) (Document, error) {
	var none Document
	no := func(why string) (Document, error) { return none, symbolon.Errorf(symbolon.Denied, op, "%s", why) }
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return none, symbolon.Wrap(symbolon.Denied, op, err)
	}
	accept := "application/json"
	if len(c.options.Types) > 0 {
		accept = strings.Join(c.options.Types, ", ")
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("User-Agent", "symbolon")
	w, err := c.http.Do(r)
	if err != nil {
		var e *symbolon.Error
		if errors.As(err, &e) {
			return none, e
		}
		return none, symbolon.Wrap(symbolon.NotFound, op, err)
	}
	defer w.Body.Close()
	switch {
	case w.StatusCode != http.StatusOK: // a redirect too: it leads who knows where
		return none, symbolon.Errorf(symbolon.NotFound, op, "the answer has status %d", w.StatusCode)
	case len(c.options.Types) > 0 && !isOneOf(c.options.Types, w.Header):
		return no("the answer is not of the right kind by its Content-Type")
	case len(c.options.Types) == 0 && !isJSON(w.Header):
		return no("the answer is not JSON by its Content-Type")
	case len(w.Header.Values("Content-Encoding")) > 0:
		return no("the answer is compressed, which was not asked for")
	case w.ContentLength > int64(c.options.MaxBytes):
		return no("the document is too large")
	}
	body, err := io.ReadAll(io.LimitReader(w.Body, int64(c.options.MaxBytes)+1))
	if err != nil {
		return none, symbolon.Wrap(symbolon.NotFound, op, err)
	}
	if len(body) > c.options.MaxBytes {
		return no("the document is too large")
	}
	return Document{Body: body, MaxAge: c.options.age(w.Header)}, nil
}

// isOneOf reports whether an answer says that it is of one of these types.
func isOneOf(types []string, header http.Header) bool {
	values := header.Values("Content-Type")
	if len(values) != 1 {
		return false
	}
	t, _, err := mime.ParseMediaType(values[0])
	return err == nil && slices.Contains(types, t)
}

// isJSON reports whether an answer says that it is JSON: application/json, or a
// type with the suffix +json (RFC 6839 §3.1), in UTF-8.
func isJSON(header http.Header) bool {
	values := header.Values("Content-Type")
	if len(values) != 1 {
		return false
	}
	t, params, err := mime.ParseMediaType(values[0])
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return false
	}
	return t == "application/json" || strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json")
}
