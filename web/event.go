package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// event is what is known of one request: it becomes one line of the log. It
// holds no query, no header and no body, so no secret can be in it.
type event struct {
	id      string
	method  string
	route   string // the path of the route, never what was sent
	kind    kind
	address string
	start   time.Time
	quiet   bool // logged only when it fails

	status     int
	client     symbolon.ClientID
	account    symbolon.AccountID
	connection symbolon.ConnectionID
	code       string // the error code, or ""
	detail     string // for the log only
	note       string // something worth a line of its own
	level      slog.Level
}

func newEvent(r *http.Request) *event {
	return &event{id: rand.Text(), method: r.Method, start: time.Now()}
}

// about records what a request was about.
func (ev *event) about(g *symbolon.Grant) {
	ev.client, ev.account, ev.connection = g.Client, g.Account, g.Connection
}

// finish writes the log line, after a panic too.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, ev *event) {
	if cause := recover(); cause != nil {
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		ev.level = slog.LevelError
		detail := fmt.Sprintf("panic: %v\n%s", cause, debug.Stack())
		if ev.status == 0 {
			h.fail(w, r, ev, &oauth.Error{Refusal: oauth.ServerError, Description: "The server failed; its operator finds the cause in the log under this request_id."})
		}
		ev.detail = detail
	}
	if ev.quiet && ev.status < 400 || !h.Log.Enabled(context.Background(), ev.level) {
		return
	}
	var buf [12]slog.Attr
	attrs := append(buf[:0],
		slog.String("request_id", ev.id),
		slog.String("method", ev.method),
		slog.String("route", ev.route),
		slog.Int("status", ev.status),
		slog.Float64("ms", float64(time.Since(ev.start).Microseconds())/1000),
		slog.String("address", ev.address),
	)
	if ev.client != "" {
		attrs = append(attrs, slog.String("client_id", string(ev.client)))
	}
	if ev.account != "" {
		attrs = append(attrs, slog.String("account", string(ev.account)))
	}
	if ev.connection != (symbolon.ConnectionID{}) {
		attrs = append(attrs, slog.String("connection", ev.connection.String()))
	}
	if ev.code != "" {
		attrs = append(attrs, slog.String("error", ev.code))
	}
	if ev.detail != "" {
		attrs = append(attrs, slog.String("detail", ev.detail))
	}
	if ev.note != "" {
		attrs = append(attrs, slog.String("note", ev.note))
	}
	h.Log.LogAttrs(context.Background(), ev.level, "request", attrs...)
}

// countingWriter notes the status that a handler of the standard library wrote.
type countingWriter struct {
	http.ResponseWriter
	ev *event
}

func (c *countingWriter) WriteHeader(status int) {
	c.ev.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *countingWriter) Write(b []byte) (int, error) {
	if c.ev.status == 0 {
		c.ev.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}
