package web

import (
	"encoding/json"
	"testing"
	"time"
)

// The line is JSON, and says when and how long.
func TestLine(t *testing.T) {
	start := time.Date(2026, 11, 24, 8, 5, 9, 7_999_999, time.FixedZone("", 3600))
	if got := string(appendTime(nil, start)); got != "2026-11-24T07:05:09.007Z" {
		t.Errorf("time: %s", got)
	}
	if got := string(appendTime(nil, start.Add(time.Second))); got != "2026-11-24T07:05:10.007Z" {
		t.Errorf("a second later: %s", got)
	}
	for n, want := range map[int64]string{0: "0.000", 7: "0.007", 1234: "1.234", 60_000: "60.000"} {
		if got := string(appendThousandths(nil, n)); got != want {
			t.Errorf("%d thousandths: %s, want %s", n, got, want)
		}
	}
	ev := event{id: newRequestID(), method: "GE\"T", route: "/info", start: time.Now(), address: "::1", code: "a\"b\n", detail: "\x1b[31m é"}
	var line map[string]any
	if err := json.Unmarshal(ev.appendLine(nil, time.Since(ev.start)), &line); err != nil {
		t.Fatal(err)
	}
	if line["request_id"] != ev.id || line["method"] != "other" || line["error"] != ev.code || line["detail"] != ev.detail {
		t.Errorf("%v", line)
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		id := newRequestID()
		if len(id) != 26 || seen[id] {
			t.Fatalf("request id %q", id)
		}
		seen[id] = true
	}
}
