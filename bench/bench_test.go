//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// TestMain lets the test binary stand in for the programs that a run starts:
// the bare handler, and a server.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "bare" {
		log.Fatal(serveBare(os.Args[2], os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == "demo" {
		// A node, by the name of its directory, is one on PostgreSQL.
		i := slices.Index(os.Args, "--database")
		if node := strings.Contains(strings.Join(os.Args, " "), "-node"); node != (i > 0) || node && !strings.HasPrefix(os.Args[i+1], "postgres://") {
			log.Fatal("a node has no database, or another server has one: ", os.Args)
		}
		log.Fatal(serveFake())
	}
	os.Exit(m.Run())
}

func serveFake() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	json.NewEncoder(os.Stdout).Encode(greeting{"http://" + listener.Addr().String(), "app", "s&cret", []string{"https://a.test/cb?x=1"}})
	server := &http.Server{Handler: &fake{live: map[string]bool{}, restarted: true}}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	return server.Serve(listener)
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(".", "run-*.test") // beside the source, which is on a disk
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b := &bench{Server: self, Dir: dir, Connections: 4, Rounds: 2, Time: 100 * time.Millisecond, Starts: 2,
		Scenarios: []string{"info", "flow"}, log: t.Output()}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if len(b.report.Scenarios) != 2 || b.report.Startup.Runs != 2 || len(b.report.Memory) != 3 || b.report.Failures != 0 {
		t.Errorf("%+v", b.report)
	}
}

// The whole form on PostgreSQL, with a server that is told of the database, and
// whose answers are a fake's.
func TestRunOnPostgres(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(".", "run-*.test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b := &bench{Server: self, Dir: dir, Connections: 4, Rounds: 1, Time: 100 * time.Millisecond, log: t.Output()}
	if err := b.settle(onPostgres, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.postgres(); err != nil {
		t.Fatal(err)
	}
	if len(b.report.Scenarios) != 2 || b.report.Scenarios[1].on(onPostgres) == nil || len(b.report.Postgres) == 0 || b.report.Failures != 0 {
		t.Errorf("%+v", b.report)
	}
	if got := lastOfEach([]string{"a=1", "ab=1"}, []string{"c=1", "a=2"}); !slices.Equal(got, []string{"ab=1", "c=1", "a=2"}) {
		t.Errorf("settings: %q", got)
	}
	if b.settle(onPostgres, "dpop") == nil || b.settle("", "nothing") == nil {
		t.Error("a scenario is taken that cannot be measured")
	}
}

// What PostgreSQL's processes use is theirs, also when they have ended.
func TestClusterUse(t *testing.T) {
	c, err := pgtest.New(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Remove()
	before, err := clusterTime(c)
	if err != nil {
		t.Fatal(err)
	}
	// The backend of Exec ends with it.
	if err := c.Exec("postgres", "SELECT sum(n) FROM generate_series(1, 1000000) AS n"); err != nil {
		t.Fatal(err)
	}
	after := before
	for start := time.Now(); after-before < 30*time.Millisecond && time.Since(start) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		if after, err = clusterTime(c); err != nil {
			t.Fatal(err)
		}
	}
	if used := after - before; used < 30*time.Millisecond || used > 10*time.Second {
		t.Errorf("adding up a million numbers took %v", used)
	}
	if memory, err := clusterMemory(c); err != nil || memory < 5<<20 || memory > 500<<20 {
		t.Errorf("%d bytes of memory, %v", memory, err)
	}
}

func TestHistogramBucketsAreInOrder(t *testing.T) {
	before := -1
	for _, v := range []uint64{0, 1, 31, 32, 63, 64, 65, 66, 127, 128, 1000, 1 << 20, 1<<20 + 1<<15, 1 << 40, 1<<63 - 1} {
		i := bucket(v)
		if i < before || i >= len(histogram{}.counts) {
			t.Errorf("bucket(%d) = %d, after %d", v, i, before)
		}
		before = i
		if top(i) < v || i > 0 && top(i-1) >= v {
			t.Errorf("%d is in bucket %d, from %d to %d", v, i, top(i-1)+1, top(i))
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var parts [3]histogram
	var all []time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 30_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		parts[i%3].add(d)
		all = append(all, d)
	}
	var h histogram
	for i := range parts {
		h.merge(&parts[i])
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		truth := all[max(int(q*float64(len(all))+0.5), 1)-1]
		if got := h.quantile(q); got < truth || float64(got) > float64(truth)*(1+1.0/subBuckets)+1 {
			t.Errorf("quantile(%v) = %v, want %v or at most 1/%d more", q, got, truth, subBuckets)
		}
	}
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

func TestParseAnswer(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\ncontent-LENGTH:  5 \r\nContent-Type: a/b\r\n\r\nhello"
	for i := range whole {
		if a, complete, err := parseAnswer([]byte(whole[:i])); complete || err != nil {
			t.Fatalf("the first %d bytes: %+v, %v, %v", i, a, complete, err)
		}
	}
	a, complete, err := parseAnswer([]byte(whole))
	if !complete || err != nil || a.status != 200 || string(a.body) != "hello" || a.size() != len(whole) {
		t.Errorf("the whole: %+v, %v, %v", a, complete, err)
	}
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"\r\n\r\n",
		strings.Repeat("x", 17<<10),
	} {
		if a, complete, err := parseAnswer([]byte(bad)); complete || err == nil {
			t.Errorf("%.60q: taken as %+v", bad, a)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 503 \r\nContent-Length:\r\nC\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, complete, err := parseAnswer(b)
		if complete && (err != nil || a.size() != len(b)) {
			t.Errorf("%q: %+v, %v", b, a, err)
		}
	})
}

func TestField(t *testing.T) {
	for _, body := range []string{`{"code":"aZ09-._~"}`, `{ "code" : "aZ09-._~", "x":1}`, `{"a":"b","code":"aZ09-._~"}`} {
		if got, err := field([]byte(body), `"code"`); err != nil || string(got) != "aZ09-._~" {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
	for _, body := range []string{``, `{}`, `{"code"}`, `{"code":1}`, `{"code":""}`, `{"code":"a`, `{"code":"a+b"}`, `{"code":"a\nb"}`} {
		if got, err := field([]byte(body), `"code"`); err == nil {
			t.Errorf("%s: %q", body, got)
		}
	}
}

func TestRatios(t *testing.T) {
	got := spreadOf(ratios([]float64{50, 90, 30}, []float64{100, 100, 50}))
	if want := (spread{0.6, 0.5, 0.9}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ratios([]float64{1}, []float64{0}); got[0] != 0 {
		t.Errorf("a ratio to nothing: %v", got)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median of an even number: %v", m)
	}
	if (spreadOf(nil) != spread{}) {
		t.Error("the spread of nothing is not zero")
	}
}

func TestGoals(t *testing.T) {
	r := report{
		Scenarios: []measurement{{"info", goals{0.85, 0.8}, []figures{{}, {Target: onSQLite, ToFirst: spread{0.84, 0.8, 0.9}},
			{Target: onPostgres, ToFirst: spread{0.8, 0.8, 0.9}}, {Target: onLarge, ToSecond: spread{0.95, 0.9, 1}}}}},
		Startup: startup{Runs: 1, Request: spread{Median: 100}},
		Memory:  []memory{{Resident: 40e6}},
	}
	verdicts := func() (s string) {
		for _, g := range r.goals() {
			s += map[[2]bool]string{{true, true}: "+", {true, false}: "-", {false, false}: "?"}[[2]bool{g.Measured, g.Met}]
		}
		return s
	}
	// info on each store, scale, growth, start, memory
	if got := verdicts(); got != "-+??+-" {
		t.Errorf("a quick run: %s", got)
	}
	r.Scenarios[0].Figures[1].ToFirst.Median = 0.85
	r.Scale = &scale{InTurn: measurement{Figures: []figures{{}, {}, {Target: onLarge, ToSecond: spread{Median: 0.89}}}}, Before: files{100, 10}, After: files{100, 50}}
	// info on each store, its change, refresh of many, growth, start, memory
	if got := verdicts(); got != "+++-++-" {
		t.Errorf("a full run: %s", got)
	}
	r.Scale.After.Database++
	if got := verdicts(); got != "+++--+-" {
		t.Errorf("a file that grew: %s", got)
	}
	r.Startup, r.Scenarios[0].Figures[2].ToFirst.Median = startup{}, 0.79
	if got := verdicts(); got != "+-" {
		t.Errorf("a short form: %s", got)
	}
}

// fake speaks the page's JSON. It keeps what it has given out, and refuses
// whatever it has not.
type fake struct {
	mu    sync.Mutex
	n     int
	live  map[string]bool
	spoil string // the path whose answers are empty
	// restarted: an access token may be from the run before.
	restarted bool
}

func (f *fake) make(kind string) string {
	f.n++
	value := fmt.Sprintf("%s_%06d", kind, f.n)
	f.live[value] = true
	return value
}

func (f *fake) spend(value string) bool {
	ok := f.live[value]
	delete(f.live, value)
	return ok
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/healthz" {
		return
	}
	ok := r.FormValue("client_id") == "app" && r.FormValue("client_secret") == "s&cret"
	answer := map[string]any{}
	switch r.Method + " " + r.URL.Path {
	case "GET /authorize":
		ok = r.FormValue("redirect_uri") == "https://a.test/cb?x=1" && r.FormValue("scope") == "connect"
		answer["code"] = f.make("code")
	case "POST /token", "POST /refresh":
		ok = ok && (f.spend(r.FormValue("code")) || f.spend(r.FormValue("refresh_token")))
		answer["access_token"], answer["refresh_token"] = f.make("at"), f.make("rt")
	case "GET /info":
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		ok = f.live[token] || f.restarted && strings.HasPrefix(token, "at_")
		answer["id"], answer["user"] = "0123", "Jane Doe"
	default:
		ok = false
	}
	if r.URL.Path == f.spoil {
		clear(answer)
	}
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
	}
	json.NewEncoder(w).Encode(answer)
}

func newFake(t *testing.T) (*fake, *process) {
	f := &fake{live: map[string]bool{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	host := s.Listener.Addr().String()
	return f, &process{addr: host, app: newCaller(host, "app", "s&cret", "https://a.test/cb?x=1")}
}

// on makes a target of one server.
func on(p *process) target { return target{nodes: []*process{p}} }

func TestLoadSpeaksEveryScenario(t *testing.T) {
	for _, s := range stepScenarios() {
		t.Run(s.name, func(t *testing.T) {
			_, p := newFake(t)
			talks, err := (&bench{Connections: 8}).same(s)(on(p))
			if err != nil {
				t.Fatal(err)
			}
			o, err := load(on(p), talks, span{warm: 20 * time.Millisecond, time: 100 * time.Millisecond})
			if err != nil || o.failures != 0 || o.done == 0 {
				t.Fatalf("%d done, %d failures %q, %v", o.done, o.failures, o.samples, err)
			}
			if o.latency.n != o.done || o.elapsed < 100*time.Millisecond {
				t.Errorf("%d latencies of %d, in %v", o.latency.n, o.done, o.elapsed)
			}
		})
	}
}

// stepScenarios are those of the page's steps.
func stepScenarios() []scenario {
	return slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.talk == nil })
}

// The standard surface: what is asked is what was meant, no proof is sent twice,
// and an answer that is another is counted.
func TestStandardTalks(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	proofs := map[string]bool{}
	wrong := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.RequestURI()]++
		if proof := r.Header.Get("DPoP"); proof != "" {
			if proofs[proof] {
				t.Error("a proof is sent twice")
			}
			proofs[proof] = true
			jws, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			key := jws.Signatures[0].Protected.JSONWebKey
			claims, err := jws.Verify(key)
			if err != nil || !strings.Contains(string(claims), `"htu":"http://`+r.Host+r.URL.Path+`"`) || !strings.Contains(string(claims), `"htm":"`+r.Method+`"`) {
				t.Errorf("%s %s with the proof %s: %v", r.Method, r.URL, claims, err)
			}
		}
		body := `{"access_token":"t","refresh_token":"r","code":"c","id":"x","active":true}`
		if wrong {
			body = `{}`
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		io.WriteString(w, body)
	}))
	defer s.Close()
	host := s.Listener.Addr().String()
	p := &process{addr: host, app: newCaller(host, "app", "s&cret", "https://a.test/cb?x=1")}
	p.standard = newStandardCaller(host, p.app, greeting{ClientID: "app", ClientSecret: "s&cret"}, greeting{ClientID: "jwt", ClientSecret: "x"})
	b := &bench{Connections: 2, Time: 100 * time.Millisecond}
	for name, path := range map[string]string{"credentials": pathCredentials, "introspect": pathIntrospect, "jwt-issue": pathIssueJWT, "jwt-check": pathCheckJWT, "dpop": pathProve} {
		clear(asked)
		talks, err := b.standardTalks(name)(on(p))
		if err != nil {
			t.Fatal(err)
		}
		o, err := load(on(p), talks, span{count: 50})
		if err != nil || o.failures != 0 || asked[path] < 50 {
			t.Errorf("%s: %d failures %q, asked %v, %v", name, o.failures, o.samples, asked, err)
		}
		wrong = true
		if o, err = load(on(p), talks, span{count: 5}); err != nil || o.failures == 0 {
			t.Errorf("%s: a wrong answer is not counted (%v)", name, err)
		}
		wrong = false
	}
}

func TestLoadStopsAfterACount(t *testing.T) {
	_, p := newFake(t)
	var born [][]byte
	talks := make([]talk, 4)
	for i := range talks {
		talks[i] = &flow{caller: p.app, born: func(token []byte) { born = append(born, slices.Clone(token)) }}
	}
	o, err := load(on(p), talks, span{count: 100})
	if err != nil || o.failures != 0 || o.done != 100 || len(born) < 100 {
		t.Fatalf("%d done, %d born, %d failures %q, %v", o.done, len(born), o.failures, o.samples, err)
	}
	// One connection refreshes them all in turn, twice over.
	r := &refresh{flow: flow{caller: p.app}, tokens: born}
	o, err = load(on(p), []talk{r}, span{count: uint64(2 * len(born))})
	if err != nil || o.failures != 0 || int(o.done) != 2*len(born) {
		t.Fatalf("%d done, %d failures %q, %v", o.done, o.failures, o.samples, err)
	}
}

func TestLoadCountsEveryWrongAnswer(t *testing.T) {
	for _, s := range stepScenarios() {
		for _, path := range []string{"/authorize", "/token", "/info", "/refresh"} {
			spoken := path == "/authorize" || path == "/token" || path == "/"+s.name
			f, p := newFake(t)
			f.spoil = path
			talks, err := (&bench{Connections: 4}).same(s)(on(p))
			if err != nil {
				t.Fatal(err)
			}
			o, err := load(on(p), talks, span{time: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if spoken != (o.failures > 0) {
				t.Errorf("%s with a wrong %s: %d failures %q", s.name, path, o.failures, o.samples)
			}
		}
	}
}

func TestLoadNoticesALostConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	host := s.Listener.Addr().String()
	o, err := load(on(&process{addr: host}), []talk{&flow{caller: newCaller(host, "a", "b", "c")}}, span{time: time.Second})
	if err == nil || o.failures != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestBareHandlerAnswersWithTheSameBytes(t *testing.T) {
	_, p := newFake(t)
	s, err := sample(p, greeting{})
	if err != nil {
		t.Fatal(err)
	}
	bare := httptest.NewServer(bareHandler(s.Answers))
	defer bare.Close()
	host := bare.Listener.Addr().String()
	mine, err := sample(&process{addr: host, app: newCaller(host, "app", "s&cret", "https://a.test/cb?x=1")}, greeting{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Answers) != 4 {
		t.Errorf("%d answers, want 4", len(s.Answers))
	}
	for path, want := range s.Answers {
		if got := mine.Answers[path]; got.Size != want.Size || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestReportPrintsAndFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	b := &bench{JSON: file}
	b.report.Scenarios = []measurement{{"info", goals{SQLite: 0.85}, []figures{{Target: onNothing}, {Target: onSQLite, ToFirst: spread{0.5, 0.4, 0.6}}}}}
	b.report.Startup.Request.Median = 50
	var out strings.Builder
	if err := b.finish(&out); err != nil || !strings.Contains(out.String(), "MISSED") {
		t.Errorf("%v\n%s", err, &out)
	}
	var back report
	if data, err := os.ReadFile(file); err != nil || json.Unmarshal(data, &back) != nil || len(back.Goals) == 0 {
		t.Errorf("%v %s", err, data)
	}
	b.Strict = true
	if err := b.finish(&out); err == nil {
		t.Error("a missed goal passes as strict")
	}
	b.Strict, b.report.Failures = false, 1
	if err := b.finish(&out); err == nil {
		t.Error("an unexpected answer passes")
	}
}

func TestProcFiles(t *testing.T) {
	all, anonymous, err := resident(os.Getpid())
	if err != nil || all < 1<<20 || anonymous > all {
		t.Errorf("resident: %d, %d, %v", all, anonymous, err)
	}
	before, err := on(&process{}).used()
	if err != nil {
		t.Fatal(err)
	}
	// Work until one of the clocks says 100 ms; the others must say about so.
	var u used
	for start := time.Now(); u.own < 100*time.Millisecond && time.Since(start) < 10*time.Second; {
		after, err := on(&process{}).used()
		if err != nil {
			t.Fatal(err)
		}
		u = after.since(before)
	}
	for _, d := range []time.Duration{u.server, u.own, u.all} { // this process is all three
		if d < 50*time.Millisecond || d > 10*time.Second {
			t.Errorf("100 ms of work counted as %+v", u)
		}
	}
}

func TestFilesIn(t *testing.T) {
	dir := t.TempDir()
	if _, err := filesIn(dir); err == nil {
		t.Error("a directory without a database has a size")
	}
	for name, size := range map[string]int{"a.db": 7, "a.db-wal": 5, "a.db-shm": 3, "root.key": 2} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := filesIn(dir); err != nil || got != (files{7, 5}) {
		t.Errorf("%+v, %v", got, err)
	}
}
