package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// TestMain lets scripts run this very program under its name.
func TestMain(m *testing.M) {
	// The race detector otherwise lets each process sleep a second at its end.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(m, map[string]func(){"symbolon": main})
}

// TestScripts runs testdata/*.txtar against the built program. Beside the
// commands of testscript, they have
//
//	start NAME ARG...       start “symbolon ARG...” and wait until it serves:
//	                        $NAME_url is its address, $NAME_port its
//	                        port, $NAME_pid its process
//	[!] halt NAME [SIGNAL]  send a signal (TERM) and wait for the end, which is
//	                        status 0, or with ! another. What it printed is in
//	                        NAME.stdout and NAME.stderr
//	fetch URL [ARG...]      send a request: “-bearer TOKEN”, and NAME=VALUE for
//	                        each field of a form. The answer's status and body
//	                        are the command's stdout
//	postgres VAR            make an empty PostgreSQL database and set $VAR to its
//	                        URL, with a password that is not asked for: secret
//	watched NAME            set $NAME_metrics to where the server has its metrics
//	field VAR NAME          set $VAR to a field of the JSON in stdout; NAME may
//	                        be a path such as 0.kid
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[serversKey{}] = make(map[string]*process)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start": cmdStart,
			"halt":  cmdHalt,
			"fetch": cmdFetch,
			"field": cmdField,

			"postgres": cmdPostgres,
			"watched":  cmdWatched,
		},
	})
}

// cluster is the PostgreSQL of the scripts. What watches it ends it with this process.
var cluster = sync.OnceValues(func() (*pgtest.Cluster, error) { return pgtest.New(pgtest.Options{NoFsync: true}) })

func cmdPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres VAR")
	}
	c, err := cluster()
	ts.Check(err)
	name, err := c.NewDatabase("")
	ts.Check(err)
	u, err := url.Parse(c.URL(name))
	ts.Check(err)
	u.User = url.UserPassword(u.User.Username(), "secret")
	ts.Setenv(args[0], u.String())
}

type serversKey struct{}

// process is a server that a script has started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{} // closed after the end, when err is set
	err            error
}

// output is what a process has printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(serversKey{}).(map[string]*process)
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARG...")
	}
	name := args[0]
	p := &process{cmd: exec.Command("symbolon", args[1:]...), ended: make(chan struct{})}
	if p.cmd.Err != nil { // the PATH is that of the script
		ts.Fatalf("start: %v", p.cmd.Err)
	}
	p.cmd.Dir = ts.MkAbs(".")
	for _, v := range []string{"PATH", "HOME", "TMPDIR", "GORACE", "SYMBOLON_ROOT_KEY", "CREDENTIALS_DIRECTORY"} {
		if value := ts.Getenv(v); value != "" {
			p.cmd.Env = append(p.cmd.Env, v+"="+value)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	ts.Check(p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	processes(ts)[name] = p
	ts.Setenv(name+"_pid", strconv.Itoa(p.cmd.Process.Pid))
	deadline := time.Now().Add(20 * time.Second)
	for {
		if at := p.address(); at != "" {
			ts.Setenv(name+"_url", at)
			ts.Setenv(name+"_port", at[strings.LastIndexByte(at, ':')+1:])
			return
		}
		select {
		case <-p.ended:
			ts.Fatalf("%s ended instead of serving: %v\n%s", name, p.err, p.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not serve\n%s", name, p.stderr.String())
		}
	}
}

// address returns where a server serves, once it says so: a demo in its line of
// JSON, a server in its log.
func (p *process) address() string {
	var w welcome
	if line, _, ok := strings.Cut(p.stdout.String(), "\n"); ok && json.Unmarshal([]byte(line), &w) == nil {
		return w.BaseURL
	}
	for line := range strings.Lines(p.stderr.String()) {
		var said struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
			return "http://" + said.Listen
		}
	}
	return ""
}

func cmdWatched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || processes(ts)[args[0]] == nil {
		ts.Fatalf("usage: watched NAME")
	}
	for line := range strings.Lines(processes(ts)[args[0]].stderr.String()) {
		var said struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &said) == nil && strings.HasPrefix(said.Msg, "metrics are served") {
			ts.Setenv(args[0]+"_metrics", "http://"+said.Listen)
			return
		}
	}
	ts.Fatalf("%s does not say where its metrics are", args[0])
}

func cmdHalt(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	signal, ok := syscall.SIGTERM, len(args) == 1
	if len(args) == 2 {
		signal, ok = signals[args[1]]
	}
	if !ok {
		ts.Fatalf("usage: halt NAME [TERM|INT|KILL]")
	}
	p := processes(ts)[args[0]]
	if p == nil {
		ts.Fatalf("there is no server %s", args[0])
	}
	ts.Check(p.cmd.Process.Signal(signal))
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		ts.Fatalf("%s does not stop\n%s", args[0], p.stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".stdout"), []byte(p.stdout.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".stderr"), []byte(p.stderr.String()), 0o600))
	if (p.err != nil) != neg {
		ts.Fatalf("%s ended with %v\n%s", args[0], p.err, p.stderr.String())
	}
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fetch URL [-bearer TOKEN] [NAME=VALUE...]")
	}
	target, bearer, form := args[0], "", url.Values{}
	for i := 1; i < len(args); i++ {
		if args[i] == "-bearer" && i+1 < len(args) {
			i++
			bearer = args[i]
			continue
		}
		name, value, _ := strings.Cut(args[i], "=")
		form.Add(name, value)
	}
	method, body := http.MethodGet, io.Reader(nil)
	if len(form) > 0 {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, target, body)
	ts.Check(err)
	if len(form) > 0 {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", resp.StatusCode, text)
}

func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VAR NAME")
	}
	text := ts.ReadFile("stdout")
	if i := strings.IndexAny(text, "{["); i >= 0 {
		text = text[i:]
	}
	var value any
	ts.Check(json.NewDecoder(strings.NewReader(text)).Decode(&value))
	for part := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(v) {
				ts.Fatalf("there is no element %s", part)
			}
			value = v[i]
		default:
			ts.Fatalf("there is no field %s in %v", part, value)
		}
	}
	if value == nil {
		ts.Fatalf("there is no field %s in %s", args[1], text)
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}
