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
	var ours []string
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, envName("")) {
			ours = append(ours, name)
		}
	}
	if ours == nil { // as for most; a parser takes longer to build than many commands run
		return nil
	}
	settings := newResolver(func(string) (string, bool) { return "", false })
	if _, err := newParser(settings, io.Discard, io.Discard); err != nil {
		return nil // the run that follows says so
	}
	known := []string{rootKeyEnv, envName("config")}
	for _, name := range settings.keys() {
		known = append(known, envName(name))
	}
	var notes []string
	for _, name := range ours {
		if slices.Contains(known, name) {
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
