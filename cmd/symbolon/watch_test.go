package main

import (
	"strings"
	"testing"
)

func TestCollectorURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://127.0.0.1:4318":             "http://127.0.0.1:4318/v1/traces",
		"http://127.0.0.1:4318/":            "http://127.0.0.1:4318/v1/traces",
		"https://otel.example/in/v1/traces": "https://otel.example/in/v1/traces",
		"127.0.0.1:4318":                    "",
		"grpc://127.0.0.1:4317":             "",
		"http://":                           "",
		"http://u:secret@otel.example":      "",
		"http://otel.example/?key=secret":   "",
		"http://otel.example/#secret":       "",
	} {
		got, err := collectorURL(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		if err != nil && (hintFor(err) == "" || strings.Contains(err.Error()+hintFor(err), "secret")) {
			t.Errorf("%q: %v, hint %q", text, err, hintFor(err))
		}
	}
}

func TestCollectorHeaders(t *testing.T) {
	t.Parallel()
	h, err := readHeaders("authorization=Bearer%20a%3Db%2C, x-scope = one ,,")
	if err != nil || len(h) != 2 || h.Get("Authorization") != "Bearer a=b," || h.Get("X-Scope") != "one" {
		t.Errorf("read as %v, %v", h, err)
	}
	for _, text := range []string{"secret", "=secret", "a b=secret", "a=%zz", "a=secret%0d%0ax:y", "a:=secret"} {
		if _, err := readHeaders(text); err == nil || strings.Contains(err.Error()+hintFor(err), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWatchSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w       watchSettings
		proxied bool
		says    string
	}{
		{watchSettings{}, false, ""},
		{watchSettings{MetricsListen: "127.0.0.1:0", Traces: "http://127.0.0.1:4318", TracesRatio: 1}, false, ""},
		{watchSettings{Traces: "http://127.0.0.1:4318", TracesRatio: .01, TracesParent: true}, true, ""},
		{watchSettings{MetricsListen: "9464"}, false, "metrics_listen"},
		{watchSettings{Traces: "http://127.0.0.1:4318"}, false, "traces_ratio is 0"},
		{watchSettings{Traces: "http://127.0.0.1:4318", TracesRatio: 1.5}, false, "traces_ratio is 1.5"},
		{watchSettings{Traces: "http://127.0.0.1:4318", TracesRatio: -1}, false, "traces_ratio is -1"},
		{watchSettings{TracesParent: true}, false, "any caller could have its requests traced"},
	} {
		err := c.w.check(c.proxied)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.w, err, c.says)
		}
	}
}
