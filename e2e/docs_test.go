//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The pages under docs/ are run as a newcomer runs them: every block that is
// marked as sh, of one page in one bash, against a demo of the built program.
// Below a command, a line “# → text” says what its output has; … stands for
// anything between. Blocks that are not for the demo are marked in another way.

// where a page stands that is not run, and why.
var notRun = map[string]string{
	"docs/configuration.md": "its commands are for a server with a configuration of one's own; cmd/symbolon runs them",
}

// shellBlocks are those of a page, with the line that each begins on.
var shellBlocks = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// mark is what stands in the output where a command was to have shown something.
const mark = "\x01"

// expectation is what the output of some commands has.
type expectation struct {
	line  int // in the page
	texts []string
}

// readPage returns the commands of a page, and what they are to show.
func readPage(page string) (commands string, expected []expectation) {
	var b strings.Builder
	for _, at := range shellBlocks.FindAllStringSubmatchIndex(page, -1) {
		line := strings.Count(page[:at[2]], "\n")
		open := false
		for text := range strings.Lines(page[at[2]:at[3]]) {
			line++
			want, ok := strings.CutPrefix(strings.TrimRight(text, "\n"), "# → ")
			if !ok {
				open = false
				b.WriteString(text)
				continue
			}
			if !open {
				expected = append(expected, expectation{line: line})
				b.WriteString("printf '\\001'\n")
				open = true
			}
			last := &expected[len(expected)-1]
			last.texts = append(last.texts, strings.Split(want, "…")...)
		}
	}
	return b.String(), expected
}

// missing returns the first of the texts that the output lacks, in their order.
func (x *expectation) missing(output string) (string, bool) {
	for _, text := range x.texts {
		_, after, ok := strings.Cut(output, text)
		if !ok {
			return text, true
		}
		output = after
	}
	return "", false
}

// pages are those under docs/, with the folders in it.
func pages(t *testing.T) []string {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir("../docs", func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			list = append(list, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return err
	}))
	return list
}

func TestDocs(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "jq", "openssl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("there is no %s on this machine; “make setup” installs it", tool)
		}
	}
	run := 0
	for _, name := range pages(t) {
		text, err := os.ReadFile("../" + name)
		must(t, err)
		commands, expected := readPage(string(text))
		if commands == "" || notRun[name] != "" {
			continue
		}
		run++
		t.Run(strings.TrimPrefix(name, "docs/"), func(t *testing.T) {
			t.Parallel()
			if len(expected) == 0 {
				t.Error("no command of it says what it shows; a line “# → text” below one does")
			}
			runPage(t, name, commands, expected)
		})
	}
	if run < 10 {
		t.Errorf("only %d pages are run; is sh written in another way?", run)
	}
}

// runPage runs the commands of a page against a demo of its own.
func runPage(t *testing.T, name, commands string, expected []expectation) {
	d := startDemo(t, newDir())
	root, err := filepath.Abs("..")
	must(t, err)
	data, err := filepath.Abs(d.dir)
	must(t, err)
	binary, err := filepath.Abs(program)
	must(t, err)
	// A page says symbolon, which the index finds in bin; and the index says .demo.
	at := t.TempDir()
	must(t, os.Mkdir(filepath.Join(at, "bin"), 0o700))
	must(t, os.Symlink(data, filepath.Join(at, ".demo")))
	must(t, os.Symlink(binary, filepath.Join(at, "bin", "symbolon")))

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	set := []string{"BASE=" + d.base, "DATA=" + data, "CLIENT_ID=" + d.greet.ClientID, "CLIENT_SECRET=" + d.greet.ClientSecret, "PATH=" + filepath.Join(at, "bin") + ":" + os.Getenv("PATH")}
	dir := root
	if name == "docs/README.md" {
		// It sets them itself, and is held to it.
		dir, set = at, nil
		commands += fmt.Sprintf("\n[ \"$BASE $CLIENT_ID $CLIENT_SECRET\" = '%s %s %s' ] && cd \"$DATA\" && symbolon version >/dev/null\n", "http://127.0.0.1:8080", d.greet.ClientID, d.greet.ClientSecret)
	}
	if name == "docs/nodes.md" {
		// It needs a PostgreSQL and a directory, and starts its own servers.
		dir = at
		set = append(set, postgresEnviron(t)...)
		for _, port := range [...]string{"NODE1", "NODE2", "NODE3", "FRONT", "HAFRONT"} {
			set = append(set, port+"="+freePort(t))
		}
	}
	if name == "docs/moving.md" {
		set = append(set, postgresEnviron(t)...)
	}
	// What a page leaves running, since a command of it failed, would keep the output open.
	commands = "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n" + commands
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = dir
	cmd.Env = append(environ(), append(set, "API="+freePort(t), "HERE="+freePort(t))...)
	// What it left running ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	output := d.watchPage(t, out)
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // there is nothing left, as a rule
	for _, token := range regexp.MustCompile(`sym_(?:ac|at|rt|dg|secret)_[A-Za-z0-9_-]+`).FindAllString(output, -1) {
		secret(kindSecret, token)
	}
	parts := strings.Split(output, mark)
	for i, x := range expected {
		if i+1 >= len(parts) {
			t.Errorf("%s:%d is not reached", name, x.line)
			break
		}
		if text, lacks := x.missing(parts[i]); lacks {
			t.Errorf("%s:%d: the output lacks %q:\n%s", name, x.line, text, parts[i])
		}
	}
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s\n%s", name, err, output, errors.String(), d.logTail())
	}
}

// watchPage reads what a page's commands print, and is the person whom one of them
// asks to go to an address.
func (s *server) watchPage(t *testing.T, out io.Reader) string {
	var all strings.Builder
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		var device struct {
			UserCode string `json:"user_code"`
		}
		if json.Unmarshal([]byte(strings.ReplaceAll(lines.Text(), mark, "")), &device) == nil && device.UserCode != "" {
			p := s.newPerson(t, newClient())
			p.open(t, "/device?user_code="+device.UserCode)
			p.submit(t, "/sign-in", "sandbox", s.greet.Accounts[0].ID)
			p.submit(t, "/device", "user_code", device.UserCode)
			p.submit(t, "/consent", "action", "allow")
		}
	}
	return all.String()
}

// What is read out of a page, and what a test of it can find.
func TestDocsScript(t *testing.T) {
	t.Parallel()
	page := "# A page\n```sh\necho one two three\n# → one…three\n# → not\n```\ntext\n```nginx\nno shell\n```\n```sh\n# a comment\necho four\n# → four\n```\n"
	commands, expected := readPage(page)
	if commands != "echo one two three\nprintf '\\001'\n# a comment\necho four\nprintf '\\001'\n" {
		t.Errorf("commands %q", commands)
	}
	if len(expected) != 2 || expected[0].line != 4 || expected[1].line != 14 || len(expected[0].texts) != 3 {
		t.Fatalf("expected %+v", expected)
	}
	for _, c := range []struct {
		output, lacks string
	}{
		{"one two three not", ""}, {"one three", "not"}, {"three one not", "three"}, {"", "one"},
	} {
		if text, _ := expected[0].missing(c.output); text != c.lacks {
			t.Errorf("in %q it misses %q, want %q", c.output, text, c.lacks)
		}
	}
}
