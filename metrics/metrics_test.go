package metrics

import (
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/gather"
)

// text returns what a scrape reads.
func text(t testing.TB, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v\n%s", w.Code, err, body)
	}
	return string(body)
}

// has reports lines that a scrape lacks.
func has(t testing.TB, m *Metrics, lines ...string) {
	t.Helper()
	got := text(t, m)
	for _, line := range lines {
		if !strings.Contains("\n"+got, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("it lacks %s; of this metric it has:\n%s", line, grep(got, name))
		}
	}
}

func grep(text, part string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

var start = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

// whole is the metrics of a server in which all there is has happened once.
func whole(t testing.TB) *Metrics {
	t.Helper()
	m := New(Build{Version: "v0", Commit: "abc"})
	m.WatchDatabase(func() (Database, bool) {
		return Database{
			Gatherers: []Gatherer{{Name: "writes", Stats: gather.Stats{Sizes: [11]uint64{0: 2, 2: 1, 10: 1}, Changes: 1005, Full: 3, Waiting: 4, Depth: 4096}}},
			Pools:     []Pool{{Name: "reads", Acquired: 1, Idle: 2, Max: 8, Waits: 5, Waited: time.Second}},
		}, true
	})
	m.WatchDisk(func() (free, used uint64, ok bool) { return 10, 20, true })
	m.WatchFeed(Feed{
		Bound: 250 * time.Millisecond, Age: func() time.Duration { return 20 * time.Millisecond }, Entries: func() int { return 7 },
		Polls: func() (done, failed uint64) { return 8, 9 },
	})
	m.WatchKeys(func() Keyring {
		return Keyring{Now: start, Stale: true, Keys: []Key{
			{"sealing", "active", start.Add(-time.Hour)},
			{"sealing", "retiring", start.Add(-3 * time.Hour)},
			{"sealing", "retired", start.Add(-9 * time.Hour)},
			{"ES256", "active", start.Add(-time.Minute)},
			{"ES256", "announced", start.Add(2 * time.Hour)},
			{"ES256", "announced", start.Add(time.Hour)},
		}}
	})
	m.WatchRollbacks(func() uint64 { return 2 })
	m.WatchSignIns(func() uint64 { return 6 })
	m.WatchCertificate(func() time.Time { return start })
	m.Fetched(nil, time.Millisecond)
	r := m.Requests([]Route{{"/info", []string{"GET"}}}, []Reason{{"invalid_token", "missing_token"}}, func() int { return 1 })
	r.Answered("/info", "GET", 401, Reason{"invalid_token", "missing_token"}, time.Millisecond)
	return m
}

// What is read at a scrape comes out as it is.
func TestWatched(t *testing.T) {
	t.Parallel()
	has(t, whole(t),
		`symbolon_store_away 0`,
		`symbolon_gather_batch_size_bucket{gatherer="writes",le="1"} 2`,
		`symbolon_gather_batch_size_bucket{gatherer="writes",le="4"} 3`,
		`symbolon_gather_batch_size_bucket{gatherer="writes",le="512"} 3`,
		`symbolon_gather_batch_size_bucket{gatherer="writes",le="+Inf"} 4`,
		`symbolon_gather_batch_size_sum{gatherer="writes"} 1005`,
		`symbolon_gather_refused_total{gatherer="writes"} 3`,
		`symbolon_gather_queue_length{gatherer="writes"} 4`,
		`symbolon_pool_acquired_connections{pool="reads"} 1`,
		`symbolon_pool_wait_seconds_total{pool="reads"} 1`,
		`symbolon_data_free_bytes 10`,
		`symbolon_data_used_bytes 20`,
		`symbolon_feed_age_seconds 0.02`,
		`symbolon_feed_bound_seconds 0.25`,
		`symbolon_feed_entries 7`,
		`symbolon_feed_polls_total 8`,
		`symbolon_feed_poll_failures_total 9`,
		`symbolon_keys{kind="sealing",state="active"} 1`,
		`symbolon_keys{kind="sealing",state="retiring"} 1`,
		`symbolon_keys{kind="sealing",state="retired"} 1`,
		`symbolon_keys{kind="ES256",state="active"} 1`,
		`symbolon_keys{kind="ES256",state="announced"} 2`,
		`symbolon_key_age_seconds{kind="sealing"} 3600`,
		`symbolon_key_age_seconds{kind="ES256"} 60`,
		`symbolon_key_next_activation_seconds{kind="ES256"} 3600`,
		`symbolon_keys_stale 1`,
		`symbolon_rollback_warnings_total 2`,
		`symbolon_sign_ins_throttled_total 6`,
		`symbolon_tls_certificate_expiry_timestamp_seconds 1.7957376e+09`,
		`symbolon_fetches_total{outcome="ok"} 1`,
		`symbolon_http_requests_in_flight 1`,
		`symbolon_http_requests_total{method="GET",route="/info",status="401"} 1`,
		`symbolon_refusals_total{error="invalid_token",reason="missing_token"} 1`,
	)
}

// A server that has no database yet is away, and has no pool to tell of.
func TestNoDatabaseYet(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	m.WatchDatabase(func() (Database, bool) { return Database{}, false })
	has(t, m, `symbolon_store_away 1`)
	if got := grep(text(t, m), "pool_"); got != "" {
		t.Errorf("without a database there is %s", got)
	}
}

// The list has every metric of ours that a scrape shows, under its type and its
// help, and no other.
func TestList(t *testing.T) {
	t.Parallel()
	m := whole(t)
	got := text(t, m)
	for _, d := range m.List() {
		if !strings.Contains(got, "# HELP "+d.Name+" "+d.Help+"\n") || !strings.Contains(got, "# TYPE "+d.Name+" "+d.Type+"\n") {
			t.Errorf("a scrape does not show %s, a %s: %s", d.Name, d.Type, d.Help)
		}
		if !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: %q is no sentence", d.Name, d.Help)
		}
		if d.Type == "counter" != strings.HasSuffix(d.Name, "_total") {
			t.Errorf("%s is a %s", d.Name, d.Type)
		}
	}
	for line := range strings.Lines(got) {
		rest, ok := strings.CutPrefix(line, "# TYPE symbolon_")
		name, _, _ := strings.Cut(rest, " ")
		if ok && !slices.ContainsFunc(m.List(), func(d Described) bool { return d.Name == "symbolon_"+name }) {
			t.Errorf("symbolon_%s is not in the list", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes"} {
		if !strings.Contains(got, "\n"+name+" ") {
			t.Errorf("it lacks %s", name)
		}
	}
}
