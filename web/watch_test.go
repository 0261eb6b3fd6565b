package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// watched is a fixture with a route that streams what happens to the app.
func watched(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	// A server whose deadlines are much shorter than the stream lives.
	impatient := httptest.NewUnstartedServer(f.handler)
	impatient.Config.ReadTimeout, impatient.Config.WriteTimeout = 150*time.Millisecond, 150*time.Millisecond
	f.handler.routes["/watch"] = &route{path: "/watch", get: func(w http.ResponseWriter, r *http.Request, ev *event) error {
		return f.handler.watchConnections(w, r, ev, f.app.ID, func() bool { return true })
	}}
	impatient.Start()
	t.Cleanup(impatient.Close)
	f.Server = impatient
	return f
}

// stream is what comes of a stream, event by event; nothing when it has ended.
type stream struct {
	*http.Response
	events <-chan [2]string
	leave  func()
}

func (f *fixture) stream(t *testing.T) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", f.URL+"/watch", nil)
	check(t, err)
	return streamOf(ctx, t, cancel, r)
}

// streamOf sends a request for a stream, and reads it until ctx ends.
func streamOf(ctx context.Context, t *testing.T, leave func(), r *http.Request) *stream {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(r)
	check(t, err)
	events := make(chan [2]string)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		name := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case events <- [2]string{name, text}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return &stream{resp, events, leave}
}

func (s *stream) next(t *testing.T, want symbolon.EventKind) happeningView {
	t.Helper()
	select {
	case got, ok := <-s.events:
		var v happeningView
		if !ok || got[0] != string(want) || json.Unmarshal([]byte(got[1]), &v) != nil || v.Type != want {
			t.Fatalf("got %q, want %s", got, want)
		}
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s came", want)
		return happeningView{}
	}
}

func (f *fixture) connectOnce(t *testing.T) map[string]any {
	t.Helper()
	_, body := f.call(t, "GET", "/authorize?response_type=code&scope=connect&client_id="+string(f.app.ID)+"&redirect_uri="+f.app.RedirectURIs[0], nil)
	code, _ := body["code"].(string)
	_, tokens := f.post(t, "/token", "grant_type", "authorization_code", "code", code, "redirect_uri", f.app.RedirectURIs[0])
	if tokens["access_token"] == nil {
		t.Fatal(tokens)
	}
	return tokens
}

func TestAPageThatWatchesIsTold(t *testing.T) {
	f := watched(t)
	s := f.stream(t)
	if s.StatusCode != 200 || s.Header.Get("Content-Type") != "text/event-stream" || s.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", s.StatusCode, s.Header)
	}
	tokens := f.connectOnce(t)
	born := s.next(t, symbolon.EventConnected)
	if born.Account != jane || born.ClientID != string(f.app.ID) || len(born.Connection) != 32 || time.Since(born.At).Abs() > time.Minute {
		t.Errorf("%+v", born)
	}
	time.Sleep(2 * f.Config.WriteTimeout) // the server's own deadlines pass
	refresh, _ := tokens["refresh_token"].(string)
	f.post(t, "/refresh", "refresh_token", refresh)
	if v := s.next(t, symbolon.EventRefreshed); v.Connection != born.Connection {
		t.Errorf("%+v", v)
	}
	id, err := symbolon.ParseConnectionID(born.Connection)
	check(t, err)
	_, err = f.store.End(t.Context(), symbolon.End{Connection: id, Reason: symbolon.ByOperator, Now: time.Now()})
	check(t, err)
	check(t, f.feed.Poll(t.Context()))
	if v := s.next(t, symbolon.EventEnded); v.Connection != born.Connection || v.Why != string(symbolon.ByOperator) {
		t.Errorf("%+v", v)
	}
	f.handler.Leave()
	if got, open := <-s.events; open {
		t.Errorf("the server stops, and the stream goes on: %q", got)
	}
}

func TestStreamsAreFewAndGivenBack(t *testing.T) {
	f := watched(t)
	var all []*stream
	for {
		s := f.stream(t)
		if s.StatusCode != 200 {
			if s.StatusCode != 503 {
				t.Errorf("one too many is answered %d", s.StatusCode)
			}
			break
		}
		if all = append(all, s); len(all) > 1000 {
			t.Fatal("there is no bound")
		}
	}
	for _, s := range all {
		s.leave()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if s := f.stream(t); s.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("who has left still counts")
		}
	}
}
