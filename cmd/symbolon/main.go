// Command symbolon is the OAuth 2 server and everything to run it with: the
// demo, the server, and the commands for apps, accounts, connections and keys.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end. From then on signals have
	// their usual effect, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	for _, note := range strays(os.Environ()) {
		fmt.Fprintln(os.Stderr, "symbolon: note: "+note)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
