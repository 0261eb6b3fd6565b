package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The six lines of the README are those that the demo prints.
func TestReadmeShowsTheLinesOfTheDemo(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	id := regexp.MustCompile(`sym_app_[a-z0-9]+`).FindString(readme)
	secret := regexp.MustCompile(`sym_secret_[A-Z0-9]+`).FindString(readme)
	w := &welcome{BaseURL: "http://127.0.0.1:8080", ClientID: id, ClientSecret: secret}
	for i, line := range w.lines() {
		if !strings.Contains(readme, "\n"+line+"\n") {
			t.Errorf("README.md lacks line %d, or has another:\n%s", i+1, line)
		}
	}
}
