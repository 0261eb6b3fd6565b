package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// answers collects what is told of requests.
type answers struct {
	mu   sync.Mutex
	list []Answered
}

func (a *answers) tell(one Answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, one)
}

// Whatever a caller sends, what is told of it is what stands in the tables: no
// path, no parameter and no name that it chose.
func TestAnsweredTellsNothingThatWasSent(t *testing.T) {
	f := newFixture(t)
	var told answers
	f.handler.OnAnswer(told.tell)
	targets := []string{
		"/info", "/info/", "//info", "/%69nfo", "/INFO", "/info?access_token=x", "/nothing/x1", "/static/x1", "/favicon.ico",
		"/refresh", "/token", "/oauth2/token", "/authorize?client_id=x1&redirect_uri=x1&response_type=code&scope=connect", "/sign-in", "/oauth2/x1",
		"/.well-known/openid-configuration", "/healthz", "/readyz", "/" + strings.Repeat("x1", 8000),
	}
	for _, target := range targets {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "X1", "GET\t"} {
			req := httptest.NewRequest("GET", "/", strings.NewReader("client_id=x1&refresh_token=x1"))
			req.Method, req.RequestURI = method, target
			req.URL.Path, req.URL.RawQuery, _ = strings.Cut(target, "?")
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Authorization", "Bearer x1")
			f.handler.ServeHTTP(httptest.NewRecorder(), req)
		}
	}
	if n := f.handler.InFlight(); n != 0 {
		t.Errorf("%d requests are in flight when all are answered", n)
	}
	if want := len(targets) * 6; len(told.list) != want {
		t.Errorf("told of %d requests, want %d", len(told.list), want)
	}
	var routes []string
	for _, r := range f.handler.Routes() {
		routes = append(routes, r.Path)
	}
	refused := 0
	for _, a := range told.list {
		if !slices.Contains(routes, a.Route) {
			t.Errorf("the route %q is in no table", a.Route)
		}
		if a.Code != "" {
			refused++
			if !slices.Contains(Reasons(), Reason{a.Code, a.Why}) {
				t.Errorf("the reason %q, %q is in no table", a.Code, a.Why)
			}
		}
		if a.Status < 200 || a.Took <= 0 {
			t.Errorf("%+v", a)
		}
	}
	if refused < 50 {
		t.Errorf("only %d were refused", refused)
	}
}

// The routes have each path once, with its methods, and a preflight where there is one.
func TestRoutes(t *testing.T) {
	f := newFixture(t)
	methods := make(map[string][]string)
	for _, r := range f.handler.Routes() {
		if methods[r.Path] != nil {
			t.Errorf("%s is there twice", r.Path)
		}
		methods[r.Path] = append(r.Methods, "")
	}
	for path, want := range map[string]string{
		"/info": "GET OPTIONS", "/refresh": "POST OPTIONS", "/invalidate": "GET POST DELETE OPTIONS", "/sign-in": "GET HEAD POST", "/oauth2/introspect": "POST", "unknown": "",
	} {
		if got := strings.TrimSpace(strings.Join(methods[path], " ")); got != want || methods[path] == nil {
			t.Errorf("%s takes %q, want %q", path, got, want)
		}
	}
}

// A handler that is cut off is not in flight for ever, and one that panics is told of.
func TestInFlightAfterTheWorst(t *testing.T) {
	f := newFixture(t)
	var told answers
	f.handler.OnAnswer(told.tell)
	f.handler.routes["/panics"] = &route{path: "/panics", get: func(http.ResponseWriter, *http.Request, *event) error { panic("x") }, methods: "GET"}
	f.handler.routes["/aborts"] = &route{path: "/aborts", get: func(http.ResponseWriter, *http.Request, *event) error { panic(http.ErrAbortHandler) }, methods: "GET"}
	seen := 0
	f.handler.routes["/looks"] = &route{path: "/looks", methods: "GET", get: func(w http.ResponseWriter, _ *http.Request, ev *event) error {
		seen = f.handler.InFlight()
		return writeJSON(w, ev, 200, []byte("{}"))
	}}
	for _, path := range []string{"/panics", "/aborts", "/looks"} {
		resp, err := f.Client().Get(f.URL + path)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	if seen != 1 || f.handler.InFlight() != 0 {
		t.Errorf("%d in flight within a request, %d after all", seen, f.handler.InFlight())
	}
	if len(told.list) != 2 || told.list[0].Status != 500 || told.list[0].Why != "server_error" {
		t.Errorf("told %+v", told.list)
	}
}
