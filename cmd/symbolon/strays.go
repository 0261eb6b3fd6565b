package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// strays remarks what stands in the environment under our prefix and is no setting,
// which is a slip of the pen more often than not. Others may use the prefix, so it is
// no error.
func strays(environ []string) []string {
	settings := newResolver(func(string) (string, bool) { return "", false })
	if _, err := newParser(settings, io.Discard, io.Discard); err != nil {
		return nil // the run that follows says so
	}
	known := []string{rootKeyEnv, envName("config")}
	for _, name := range settings.keys() {
		known = append(known, envName(name))
	}
	var notes []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envName("")) || slices.Contains(known, name) {
			continue
		}
		note := fmt.Sprintf("%s in the environment is no setting", printable(name))
		if near := nearest(name, known); near != "" {
			note += "; is it " + near + "?"
		}
		notes = append(notes, note)
	}
	return notes
}
