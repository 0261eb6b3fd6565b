package main

import (
	"fmt"
	"strings"
)

// remarkProfile notes on standard error what a profile set beside itself.
func (c *settingFlags) remarkProfile(sh *shell) {
	if len(c.implied) > 0 {
		fmt.Fprintf(sh.stderr, "symbolon: note: the profile %s also set %s\n", *c.Profile, strings.Join(c.implied, ", "))
	}
}
