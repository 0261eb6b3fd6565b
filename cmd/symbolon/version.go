package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints what this program was built from.
type versionCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (versionCmd) Help() string {
	return "Example:\n\n    symbolon version"
}

// build says what a program was built from.
type build struct {
	Version string `json:"version"`
	// Commit is the full hash, or empty when it is not known.
	Commit string `json:"commit"`
	// Modified says that files differed from the commit.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Run implements the command.
func (c *versionCmd) Run(sh *shell) error {
	b := thisBuild()
	if c.JSON {
		return sh.printJSON(b)
	}
	fmt.Fprintf(sh.stdout, "symbolon %s\n", b.Version)
	if b.Commit != "" {
		modified := ""
		if b.Modified {
			modified = ", with changes"
		}
		fmt.Fprintf(sh.stdout, "commit   %s%s\n", b.Commit, modified)
	}
	fmt.Fprintf(sh.stdout, "%s, %s\n", b.Go, b.Platform)
	return nil
}
