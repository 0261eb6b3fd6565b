package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// BCL-2.5-b: what is sent comes whole, and the status comes back.
func TestPost(t *testing.T) {
	var got string
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.Header.Get("Content-Type") + " " + string(b)
		status := 204
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err == nil && status == 302 {
			w.Header().Set("Location", "/200")
		}
		w.WriteHeader(status)
	})
	c := h.client()
	for _, want := range []int{200, 204, 302, 400, 404, 500, 503} {
		status, err := c.Post(t.Context(), h.url(fmt.Sprintf("/%d", want)), "application/x-www-form-urlencoded", []byte("logout_token=x"), nil)
		if err != nil || status != want || got != "POST application/x-www-form-urlencoded logout_token=x" {
			t.Errorf("%d: %d, %v, sent %q", want, status, err, got)
		}
	}
	if n := h.seen.Load(); n != 7 {
		t.Errorf("%d requests: a redirect was followed, or one came twice", n)
	}
}

// Nothing is sent to what is not public, whatever name leads there.
func TestPostSpecialAddresses(t *testing.T) {
	h := newHost(t, func(http.ResponseWriter, *http.Request) {})
	for _, addresses := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "93.184.215.14 127.0.0.1", "100.100.100.200"} {
		c := h.client(func(o *Options) {
			o.Allowed = nil
			o.Lookup = func(context.Context, string) (list []netip.Addr, err error) {
				for a := range strings.FieldsSeq(addresses) {
					list = append(list, netip.MustParseAddr(a))
				}
				return list, nil
			}
		})
		if _, err := c.Post(t.Context(), h.url("/"), "text/plain", nil, nil); symbolon.KindOf(err) != symbolon.Denied || err == nil || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", addresses, err)
		}
	}
	for _, address := range []string{"http://example.com/", "https://127.0.0.1/", "https://[::1]:1/", "https://u@example.com/", "https://example.com/#", "file:///etc/passwd", "gopher://x/", "//x", "https:///x", h.URL} {
		c := h.client(func(o *Options) { o.Allowed = nil })
		if _, err := c.Post(t.Context(), address, "text/plain", nil, nil); symbolon.KindOf(err) != symbolon.Denied || err == nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if h.seen.Load() != 0 || h.conns.Load() != 0 {
		t.Error("something was sent")
	}
}

func TestPostBounds(t *testing.T) {
	release := make(chan struct{})
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			for range 1 << 12 {
				if _, err := w.Write(make([]byte, 1<<12)); err != nil {
					return
				}
			}
			return
		}
		<-release
	})
	defer close(release)
	c := h.client(func(o *Options) { o.Timeout, o.HostPerMinute = 300*time.Millisecond, 3 })
	began := time.Now()
	_, err := c.Post(t.Context(), h.url("/hangs"), "text/plain", nil, nil)
	if symbolon.KindOf(err) != symbolon.NotFound || err == nil || time.Since(began) > 3*time.Second || strings.Contains(err.Error(), "example.com") {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if status, err := c.Post(t.Context(), h.url("/large"), "text/plain", nil, nil); status != 200 || err != nil {
		t.Errorf("a large answer: %d, %v", status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Post(ctx, h.url("/hangs"), "text/plain", nil, nil); err == nil {
		t.Error("sent for one who has gone")
	}
	if _, err := c.Post(t.Context(), h.url("/"), "text/plain", nil, nil); symbolon.KindOf(err) != symbolon.Busy || err == nil {
		t.Errorf("beyond the limit: %v", err)
	}
}
