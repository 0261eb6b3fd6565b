package web

import "testing"

func newPages(t testing.TB) *Pages {
	t.Helper()
	p, err := NewPages()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewPagesDrawsEverySample(t *testing.T) { newPages(t) }
