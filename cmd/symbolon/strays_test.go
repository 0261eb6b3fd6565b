package main

import (
	"slices"
	"testing"
)

func TestStrays(t *testing.T) {
	got := strays([]string{"PATH=/bin", "SYMBOLON_LISTEN=:1", "SYMBOLON_ROOT_KEY=x", "SYMBOLON_CONFIG=f", "SYMBOLON_DATA=d", "SYMBOLON_LISTN=:2", "SYMBOLON_MASCOT=x"})
	want := []string{
		"SYMBOLON_LISTN in the environment is no setting; is it SYMBOLON_LISTEN?",
		"SYMBOLON_MASCOT in the environment is no setting",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
