package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// How long a page is told of what happens before it must ask anew, how often it is told
// that the server is there, and how long one write may take.
const (
	watchFor   = 30 * time.Minute
	watchBeat  = 15 * time.Second
	watchWrite = 10 * time.Second
	// watchMay is for how long whoever watches is taken to be one who may.
	watchMay = time.Second
)

// happeningView is what a page is told, as JSON.
type happeningView struct {
	Type       symbolon.EventKind `json:"type"`
	Connection string             `json:"connection,omitempty"`
	Account    string             `json:"account,omitempty"`
	ClientID   string             `json:"client_id"`
	Why        string             `json:"why,omitempty"`
	At         time.Time          `json:"timestamp"`
}

// watchConnections streams what happens to the connections of an app as Server-Sent
// Events (HTML Standard §9.2), until the browser leaves, the server stops or watchFor is
// over; a browser asks anew by itself then, and whether it may is looked at anew. The
// caller has made sure that whoever asks may see the connections of this app; may says
// whether that is still so, and is asked before anything is told.
//
// The events have the names of symbolon.EventKind, with one line of JSON; lost says that
// some were left out, so that the page is to be loaded anew.
func (h *Handler) watchConnections(w http.ResponseWriter, r *http.Request, ev *event, app symbolon.ClientID, may func() bool) error {
	about, err := h.Engine.App(r.Context(), app)
	if err != nil {
		return err
	}
	watcher, err := h.Engine.Watch(about.ID)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	out := http.NewResponseController(w)
	// The server's own deadlines are for answers that end.
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		return symbolon.Wrap(symbolon.Internal, "watch", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header["Cache-Control"] = noStore
	header.Set("X-Accel-Buffering", "no") // nginx would gather it
	header.Set("X-Content-Type-Options", "nosniff")
	ev.status, ev.client = http.StatusOK, about.ID
	w.WriteHeader(http.StatusOK)
	stream := &eventStream{w: w, out: out, name: func(what *oauth.Happening) happeningView {
		view := happeningView{Type: what.Type, ClientID: about.ClientID(), Why: what.Why, At: what.At}
		if what.Account != "" {
			view.Account = h.Engine.SubjectOf(about, what.Account)
		}
		return view
	}}
	if !stream.send("retry: 3000\n\n") {
		return nil
	}
	beat, end := time.NewTicker(watchBeat), time.NewTimer(watchFor)
	defer beat.Stop()
	defer end.Stop()
	asked := time.Time{}
	mayStill := func() bool {
		if time.Since(asked) < watchMay {
			return true
		}
		asked = time.Now()
		return may()
	}
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-h.left:
			return nil
		case <-end.C:
			return nil
		case <-beat.C:
			if !mayStill() || !stream.send(": the server is there\n\n") {
				return nil
			}
		case what := <-watcher.What():
			if !mayStill() {
				return nil
			}
			ours, err := watcher.About(r.Context(), &what)
			if err != nil || watcher.Lost() {
				if !stream.send("event: lost\ndata: {}\n\n") {
					return nil
				}
			}
			if ours && !stream.happening(&what) {
				return nil
			}
		}
	}
}

// eventStream writes events, each within a time.
type eventStream struct {
	w   http.ResponseWriter
	out *http.ResponseController
	// name says what happened, by the names that the app knows.
	name func(*oauth.Happening) happeningView
}

// send writes text, and reports whether it could be.
func (s *eventStream) send(text string) bool {
	if s.out.SetWriteDeadline(time.Now().Add(watchWrite)) != nil {
		return false
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.out.Flush() == nil
}

func (s *eventStream) happening(what *oauth.Happening) bool {
	view := s.name(what)
	if what.Connection != (symbolon.ConnectionID{}) {
		view.Connection = what.Connection.String()
	}
	text, err := json.Marshal(view) // one line, whatever is in it
	if err != nil {
		return false
	}
	var b strings.Builder
	b.WriteString("event: " + string(what.Type) + "\ndata: ")
	b.Write(text)
	b.WriteString("\n\n")
	return s.send(b.String())
}
