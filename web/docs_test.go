package web

import "testing"

func TestDocsParse(t *testing.T) {
	if _, err := newDocs("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
}
