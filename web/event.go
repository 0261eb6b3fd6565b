package web

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
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
	h.served.Add(1)
	if ev.quiet && ev.status < 400 || ev.level < slog.LevelInfo {
		return
	}
	line := linePool.Get().(*[]byte)
	*line = ev.appendLine((*line)[:0])
	_, _ = h.Requests.Write(*line) // there is nowhere to report it
	linePool.Put(line)
}

var linePool = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// appendLine appends the log line: one JSON object, in the shape that slog's
// JSON handler gives all other lines. It is written by hand since it is written
// for each request.
func (ev *event) appendLine(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","level":"`...)
	b = append(b, ev.level.String()...)
	b = append(b, `","msg":"request"`...)
	b = appendField(b, ',', "request_id", ev.id)
	b = appendField(b, ',', "method", knownMethod(ev.method))
	b = appendField(b, ',', "route", ev.route)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(ev.status), 10)
	b = append(b, `,"ms":`...)
	b = strconv.AppendFloat(b, float64(time.Since(ev.start).Microseconds())/1000, 'f', 3, 64)
	b = appendField(b, ',', "address", ev.address)
	b = appendKnown(b, "client_id", string(ev.client))
	b = appendKnown(b, "account", string(ev.account))
	if ev.connection != (symbolon.ConnectionID{}) {
		b = append(b, `,"connection":"`...)
		b = hex.AppendEncode(b, ev.connection[:])
		b = append(b, '"')
	}
	b = appendKnown(b, "error", ev.code)
	b = appendKnown(b, "detail", ev.detail)
	b = appendKnown(b, "note", ev.note)
	return append(b, "}\n"...)
}

func appendKnown(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendField(b, ',', name, value)
}

// knownMethod keeps what a stranger writes for a method out of the log.
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return m
	}
	return "other"
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
