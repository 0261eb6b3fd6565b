package main

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"access_lifetime", "base_url", "listen", "traces"}
	for wrong, want := range map[string]string{
		"base_ulr":       "base_url",
		"acess_lifetime": "access_lifetime",
		"listens":        "listen",
		"trace":          "traces",
		"colour":         "",
		"":               "",
	} {
		if got := nearest(wrong, names); got != want {
			t.Errorf("%q is taken for %q, want %q", wrong, got, want)
		}
	}
}
