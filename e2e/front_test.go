//go:build linux

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quoted returns the blocks of a language in a page of the documentation, in order,
// each with what the test has in place of the page's names. A name that no block has
// is an error: the page would say something else than what is tested.
func quoted(t *testing.T, page, language string, ours map[string]string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	must(t, err)
	var blocks []string
	found := map[string]bool{}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1) {
		block := string(m[1])
		for from, to := range ours {
			found[from] = found[from] || strings.Contains(block, from)
			block = strings.ReplaceAll(block, from, to)
		}
		blocks = append(blocks, block)
	}
	for from := range ours {
		if !found[from] {
			t.Fatalf("no block of %s marked %s has %q", page, language, from)
		}
	}
	return blocks
}

// startFront starts a web server in front of something, waits until it answers at
// base, and stops it when the test ends. Its log is told of when it ends by itself.
func startFront(t *testing.T, cmd *exec.Cmd, log string, client *http.Client, base string) {
	t.Helper()
	output := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = output, output
	must(t, cmd.Start())
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
		}
	})
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := client.Get(base + "/")
		if err == nil {
			res.Body.Close()
			return
		}
		select {
		case err := <-gone:
			gone <- err
			text, _ := os.ReadFile(log)
			t.Fatalf("%s ended: %v\n%s\n%s", cmd.Path, err, output, text)
		default:
		}
		if time.Now().After(until) {
			t.Fatalf("%s does not answer: %v", cmd.Path, err)
		}
	}
}
