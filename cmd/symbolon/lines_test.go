package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSixLines runs the six lines of a demo as they are printed, one shell for
// all, in each shell that people have.
func TestSixLines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("there is no curl on this machine; “make setup” installs it")
	}
	demo := exec.Command("symbolon", "demo", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d"))
	var out, log output
	demo.Stdout, demo.Stderr = &out, &log
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		demo.Process.Signal(os.Interrupt)
		if err := demo.Wait(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), "Ctrl-C"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the demo does not greet: %s%s", out.String(), log.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("it prints colours although there is no terminal")
	}
	lines := regexp.MustCompile(`(?m)^.*curl .*$`).FindAllString(out.String(), -1)
	if len(lines) != 6 {
		t.Fatalf("it prints %d curl lines, want 6:\n%s", len(lines), out.String())
	}
	for _, shell := range []string{"sh", "bash"} {
		cmd := exec.Command(shell)
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v: %s", shell, err, stderr.String())
		}
		answers := strings.Split(strings.TrimSpace(strings.ReplaceAll(stdout.String(), "\r", "")), "\n")
		for i, want := range []string{
			`^\{"code":"sym_ac_.*"state":"hello"`,
			`"code": ?"sym_ac_.*"state": ?"hello"`,
			`^\{"access_token":"sym_at_.*"expires_in":[0-9]+,"refresh_token":"sym_rt_.*"refresh_expires_in":[0-9]+`,
			`^\{"id":"d1b03e513fbc5881651d6c149fd259506f975ae1","user":"Jane Doe"\}$`,
			`^\{"access_token":"sym_at_.*"refresh_token":"sym_rt_`,
			`^HTTP/1.1 204 No Content$`,
		} {
			if i >= len(answers) || !regexp.MustCompile(want).MatchString(answers[i]) {
				t.Errorf("%s: step %d is not answered by %s:\n%s", shell, i+1, want, stdout.String())
			}
		}
	}
}
