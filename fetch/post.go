package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

// Post sends a body to a URL, with further headers, and returns the status of the answer, of which nothing
// else is read. Where it may be sent is as with Get: no redirect is followed, and
// the addresses are looked at. The limits are those of the Client, which Get has a
// part in as well: a Client of its own for either keeps one from the other.
//
// The error is of kind Busy when a limit was reached; of kind Denied when the URL may
// not be reached; of kind NotFound when there was no answer. It names no address.
func (c *Client) Post(ctx context.Context, address, mediaType string, body []byte, header http.Header) (status int, err error) {
	u, err := c.check(address)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	release, err := c.limits.begin(strings.ToLower(u.Hostname()), c.options.Clock.Now())
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, symbolon.Wrap(symbolon.Denied, op, err)
	}
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("User-Agent", "symbolon")
	w, err := c.http.Do(r)
	if err != nil {
		var e *symbolon.Error
		switch {
		case errors.As(err, &e):
			return 0, e
		case ctx.Err() != nil:
			return 0, symbolon.Errorf(symbolon.NotFound, op, "there was no answer in time")
		}
		// The error of the client repeats the URL, and what a resolver says of it.
		return 0, symbolon.Errorf(symbolon.NotFound, op, "there is no one who answers, or not by TLS that can be trusted")
	}
	_ = w.Body.Close() // whatever it is, it is not read
	return w.StatusCode, nil
}
