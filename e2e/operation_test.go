//go:build linux

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tool returns the path of a program that “make setup” installs.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("there is no %s on this machine; “make setup” installs it", name)
	}
	return path
}

// What is under packaging/prometheus is what Prometheus takes, and the alerts' own
// tests hold.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = "../packaging/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// watched is a server with its metrics.
type watched struct {
	*server
	metrics string // HOST:PORT
}

// samples returns the names of the samples that the server shows now.
func (w watched) samples(t testing.TB, into map[string]bool) {
	t.Helper()
	r := send(t, bare, request(t, http.MethodGet, "http://"+w.metrics+"/metrics", nil))
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for line := range strings.Lines(string(r.Body)) {
		if name := strings.FieldsFunc(line, func(r rune) bool { return r == '{' || r == ' ' }); !strings.HasPrefix(line, "#") && len(name) > 0 {
			into[name[0]] = true
		}
	}
}

// prometheus is a real Prometheus that reads servers.
type prometheus struct{ base string }

func startPrometheus(t *testing.T, rules string, servers ...watched) prometheus {
	t.Helper()
	dir, address := t.TempDir(), freePort(t)
	var targets []string
	for _, s := range servers {
		targets = append(targets, fmt.Sprintf("%q", s.metrics))
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n  - job_name: symbolon\n    static_configs: [{targets: [%s]}]\n", rules, strings.Join(targets, ", "))
	file := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		end := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer end.Stop()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("prometheus: %v\n%s", err, out.String())
		}
	})
	p := prometheus{"http://" + address}
	if !eventually(func() bool {
		r, err := trySend(bare, request(t, http.MethodGet, p.base+"/-/ready", nil))
		return err == nil && r.Status == 200
	}) {
		t.Fatal("prometheus does not answer")
	}
	return p
}

// query returns the values of an expression, by which NaN is none.
func (p prometheus) query(t testing.TB, expr string) []string {
	t.Helper()
	r := send(t, bare, request(t, http.MethodGet, p.base+"/api/v1/query?query="+url.QueryEscape(expr), nil))
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value []any }
		}
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", expr, err, r.Body)
	}
	var values []string
	for _, one := range answer.Data.Result {
		if v := fmt.Sprint(one.Value[1]); v != "NaN" {
			values = append(values, v)
		}
	}
	return values
}

// rule is an alert as Prometheus has read it.
type rule struct {
	Name, Query, Health, LastError, State string
	Annotations, Labels                   map[string]string
}

func (p prometheus) rules(t testing.TB) []rule {
	t.Helper()
	r := send(t, bare, request(t, http.MethodGet, p.base+"/api/v1/rules", nil))
	var answer struct {
		Data struct{ Groups []struct{ Rules []rule } }
	}
	must(t, json.Unmarshal(r.Body, &answer))
	var list []rule
	for _, g := range answer.Data.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

// panel is one of a dashboard.
type panel struct {
	Title, Type string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr string }
}

func dashboard(t testing.TB) []panel {
	t.Helper()
	text, err := os.ReadFile("../packaging/grafana/symbolon.json")
	must(t, err)
	var d struct{ Panels []panel }
	must(t, json.Unmarshal(text, &d))
	for i, a := range d.Panels {
		for _, b := range d.Panels[:i] {
			if x, y := a.GridPos, b.GridPos; x.X < y.X+y.W && y.X < x.X+x.W && x.Y < y.Y+y.H && y.Y < x.Y+x.H {
				t.Errorf("the panels %q and %q overlap", a.Title, b.Title)
			}
		}
		if a.GridPos.X+a.GridPos.W > 24 {
			t.Errorf("the panel %q is wider than the page", a.Title)
		}
	}
	return d.Panels
}

// exercise has a server do a bit of everything that is counted.
func exercise(t testing.TB, s *server) {
	t.Helper()
	a := s.theApp()
	tk := a.connect(t)
	next := granted(t, a.refresh(t, tk.refresh))
	last := granted(t, a.refresh(t, next.refresh))
	refused(t, a.refresh(t, tk.refresh), 400, "invalid_grant") // a replay
	s.get(t, "/info", bearer(last.access))
	ended := a.connect(t)
	s.get(t, "/info", bearer(ended.access))
	s.get(t, "/invalidate", bearer(ended.access))
	s.get(t, "/nothing")
	s.post(t, "/token", with(a.redemption("x"), "client_secret", "wrong"))
	// A document that cannot be fetched, another one each time.
	s.get(t, "/authorize?"+with(a.authorization(), "client_id", "http://127.0.0.1:1/"+rand.Text()).Encode())
}

// The dashboard and the alerts, on a real Prometheus that reads real servers: one on
// SQLite, one on PostgreSQL, one that ends TLS. Every query has data, every metric is
// one that a server shows, and what the documents list is what there is.
func TestDashboardAndAlerts(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Abs("../packaging/prometheus/alerts.yml")
	must(t, err)
	var servers []watched
	for _, more := range [][]string{nil, {"--database", newDatabase(t)}} {
		at := freePort(t)
		servers = append(servers, watched{startDemo(t, newDir(), append(more, "--metrics-listen", at)...), at})
	}
	address, at := freePort(t), freePort(t)
	cert, key, client := certificate(t, address)
	tls := startServe(t, newDir(), address, client, "https://auth.test", "--tls-cert", cert, "--tls-key", key, "--metrics-listen", at)
	servers = append(servers, watched{tls, at})
	servers[0].cli(t, "", nil, "key", "rotate", "--signing")
	p := startPrometheus(t, rules, servers...)

	// Rates are of the last ten seconds, so there is always something going on.
	data := func(expr string) bool {
		for until := time.Now().Add(20 * time.Second); ; {
			if len(p.query(t, expr)) > 0 {
				return true
			}
			if time.Now().After(until) {
				return false
			}
			exercise(t, servers[0].server)
			exercise(t, servers[1].server)
			time.Sleep(200 * time.Millisecond)
		}
	}
	expand := strings.NewReplacer("$__rate_interval", "10s", "$job", ".*", "$instance", ".*")
	used := make(map[string]string) // metric → who asks for it
	name := regexp.MustCompile(`\b(?:symbolon|go|process)_[a-z0-9_]+`)
	queries := 0
	for _, panel := range dashboard(t) {
		for _, target := range panel.Targets {
			queries++
			expr := expand.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable is left in %s", panel.Title, expr)
			}
			// Refused changes are shown when there are any.
			if !strings.Contains(expr, "gather_refused_total") && !data(expr) {
				t.Errorf("%s: no data for %s", panel.Title, expr)
			}
			for _, metric := range name.FindAllString(expr, -1) {
				used[metric] = "the panel " + panel.Title
			}
		}
	}
	if queries < 40 {
		t.Errorf("the dashboard has %d queries", queries)
	}

	page, err := os.ReadFile("../docs/operation.md")
	must(t, err)
	var firing []string
	var list []rule
	if !eventually(func() bool { // the rules are looked at every so often
		list = p.rules(t)
		return slices.ContainsFunc(list, func(r rule) bool { return r.State == "firing" })
	}) {
		t.Error("no alert fires")
	}
	for _, r := range list {
		if r.Health != "ok" || r.LastError != "" {
			t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
		}
		if r.State == "firing" {
			firing = append(firing, r.Name)
		}
		anchor := "docs/operation.md#" + strings.ToLower(r.Name)
		if r.Annotations["summary"] == "" || r.Annotations["do"] == "" || r.Annotations["page"] != anchor || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the annotations %q and the labels %q", r.Name, r.Annotations, r.Labels)
		}
		if !strings.Contains(string(page), "\n### "+r.Name+"\n") {
			t.Errorf("docs/operation.md says nothing of %s", r.Name)
		}
		for _, metric := range name.FindAllString(r.Query, -1) {
			used[metric] = "the alert " + r.Name
		}
	}
	// The certificate is for an hour, and nothing else is wrong.
	if len(list) < 15 || !slices.Equal(firing, []string{"SymbolonCertificateExpires"}) {
		t.Errorf("of %d alerts %q fire", len(list), firing)
	}

	// The keys are counted as “symbolon key list” has them.
	for expr, want := range map[string][]string{
		`symbolon_keys{kind="sealing",state="active"}`:      {"1", "1", "1"},
		`symbolon_keys{kind="ES256",state="active"}`:        {"1", "1", "1"},
		`symbolon_keys{kind="ES256",state="announced"} > 0`: {"1"},
		`symbolon_keys{state="retired"} > 0`:                nil,
	} {
		if got := p.query(t, expr); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
	shown := make(map[string]bool)
	for _, s := range servers {
		s.samples(t, shown)
	}
	for metric, by := range used {
		if !shown[metric] {
			t.Errorf("%s asks for %s, which no server shows", by, metric)
		}
	}
	family := func(sample string) string {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(sample, suffix); ok && shown[base+"_bucket"] {
				return base
			}
		}
		return sample
	}
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(symbolon_[a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	there := make(map[string]bool)
	for _, sample := range slices.Sorted(maps.Keys(shown)) {
		if strings.HasPrefix(sample, "symbolon_") {
			there[family(sample)] = true
		}
	}
	if !maps.Equal(documented, there) {
		t.Errorf("documented are %v\nand there are %v", slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(there)))
	}
}

// SYM-LOG-1: whatever strangers send, the series are bounded, and nothing of it is in a label.
func TestMetricsTellNothingThatWasSent(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	d := startDemo(t, newDir(), "--metrics-listen", at)
	a := d.theApp()
	tk := a.connect(t, "state", "stranger-state")
	d.get(t, "/info?access_token=stranger-query", bearer(tk.access))
	before := 0
	for round := range 2 {
		for i := range 60 {
			for _, method := range []string{"GET", "POST", "STRANGER", fmt.Sprintf("S%dX%d", round, i)} {
				for _, path := range []string{fmt.Sprintf("/stranger%d-%d", round, i), "/info", "/static/stranger", "/refresh?stranger=1"} {
					req := request(t, method, d.base+path, strings.NewReader("client_id=stranger"), header("Content-Type", "application/x-www-form-urlencoded"), header("Host", "stranger"), bearer("stranger"))
					res, err := bare.Do(req)
					must(t, err)
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		}
		r := send(t, bare, request(t, http.MethodGet, "http://"+at+"/metrics", nil))
		text := string(r.Body)
		must(t, os.WriteFile(newDir()+".metrics", r.Body, 0o600)) // searched for secrets at the end of the suite
		for _, private := range []string{"stranger", "STRANGER", "S0X", a.ID, a.Secret, tk.access, janeID, "Jane", "sym_"} {
			if strings.Contains(text, private) {
				t.Errorf("%q is among the metrics", private)
			}
		}
		series := strings.Count(text, "\nsymbolon_")
		if round == 1 && series != before {
			t.Errorf("%d series after one round and %d after another", before, series)
		}
		if before = series; series < 200 {
			t.Errorf("%d series", series)
		}
	}
}

// A server that waits for its database at the start is watched already, and seen to
// be without one.
func TestWatchedBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	address, at := freePort(t), freePort(t)
	s := startServeUntil(t, "/healthz", newDir(), address, bare, "http://"+address, "--database", "postgres://u@127.0.0.1:1/none", "--metrics-listen", at)
	r := send(t, bare, request(t, http.MethodGet, "http://"+at+"/metrics", nil))
	if r.Status != 200 || !strings.Contains(string(r.Body), "\nsymbolon_store_away 1\n") || s.stop() != 0 {
		t.Errorf("%d\n%s\n%s", r.Status, r.Body, s.logTail())
	}
}
