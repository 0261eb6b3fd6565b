package web

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
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
	surface surface
	address string
	start   time.Time
	quiet   bool // logged only when it fails
	span    Span

	status     int
	client     symbolon.ClientID
	account    symbolon.AccountID
	connection symbolon.ConnectionID
	code       string // the error code, or ""
	why        string // the reason behind it, for metrics
	detail     string // for the log only
	sent       sent   // what arrived, for the trail
	note       string // something worth a line of its own
	locales    string // the languages that the app wishes for the person
	back       string // the address of the page, where it is not the request's
	level      slog.Level
}

func newEvent(r *http.Request) *event {
	return &event{id: newRequestID(), method: r.Method, start: time.Now()}
}

// newRequestID returns 26 characters that no other request has: 128 random bits.
// They need not be secret, so the fast generator of the standard library will do.
func newRequestID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var b [26]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 13 {
		b[i], b[13+i] = alphabet[hi&31], alphabet[lo&31]
		hi, lo = hi>>5, lo>>5
	}
	return string(b[:])
}

// about records what a request was about.
func (ev *event) about(g *symbolon.Grant) {
	ev.client, ev.account, ev.connection = g.Client, g.Account, g.Connection
}

// finish writes the log line and tells the metrics, after a panic too.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, ev *event) {
	h.inFlight.Add(-1)
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
	took := time.Since(ev.start)
	h.answered(ev, took)
	if h.Trail != nil {
		h.record(r, ev, took)
	}
	if ev.quiet && ev.status < 400 || ev.level < slog.LevelInfo {
		return
	}
	line := linePool.Get().(*[]byte)
	*line = ev.appendLine((*line)[:0], took)
	_, _ = h.Requests.Write(*line) // there is nowhere to report it
	linePool.Put(line)
}

var linePool = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// appendLine appends the log line: one JSON object, in the shape that slog's
// JSON handler gives all other lines, for a request that took so long. It is
// written by hand since it is written for each request.
func (ev *event) appendLine(b []byte, took time.Duration) []byte {
	b = append(b, `{"time":"`...)
	b = appendTime(b, ev.start.Add(took))
	b = append(b, `","level":"`...)
	b = append(b, ev.level.String()...)
	b = append(b, `","msg":"request"`...)
	b = appendField(b, ',', "request_id", ev.id)
	b = appendField(b, ',', "method", knownMethod(ev.method))
	b = appendField(b, ',', "route", ev.route)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(ev.status), 10)
	b = append(b, `,"ms":`...)
	b = appendThousandths(b, took.Microseconds())
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
	b = appendKnown(b, "trace_id", ev.span.ID)
	return append(b, "}\n"...)
}

// appendThousandths appends n/1000 with three decimals.
func appendThousandths(b []byte, n int64) []byte {
	b = strconv.AppendInt(b, n/1000, 10)
	n %= 1000
	return append(b, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// second is a second as it is written in the log.
type second struct {
	unix int64
	text string // to the second, without fraction and zone
}

var lastSecond atomic.Pointer[second]

// appendTime appends a time in RFC 3339 with milliseconds, in UTC. The text of
// the second is made once a second.
func appendTime(b []byte, t time.Time) []byte {
	unix := t.Unix()
	s := lastSecond.Load()
	if s == nil || s.unix != unix {
		s = &second{unix, t.UTC().Format("2006-01-02T15:04:05")}
		lastSecond.Store(s)
	}
	ms := t.Nanosecond() / 1e6
	b = append(b, s.text...)
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
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
