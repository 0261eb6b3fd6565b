//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// killed runs a command and kills it after a while. What it has printed is
// read into v, if it is a whole line. It reports whether the command was cut
// short.
func killed(t testing.TB, after time.Duration, stdin string, v any, args ...string) bool {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = environ()
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	must(t, cmd.Start())
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if strings.HasSuffix(out.String(), "\n") {
		must(t, json.Unmarshal(out.Bytes(), v))
		return err != nil
	}
	if err == nil {
		t.Errorf("symbolon %s printed nothing and succeeded: %s", args[0], errs.String())
	} else if cmd.ProcessState.ExitCode() > 0 {
		t.Errorf("symbolon %s failed: %s", strings.Join(args[:2], " "), errs.String())
	}
	return true
}
