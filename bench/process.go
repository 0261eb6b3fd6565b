//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under load: the real one or the bare handler.
type process struct {
	cmd  *exec.Cmd
	addr string // HOST:PORT
	app  *caller
	// standard makes the requests of the standard surface, where it is measured.
	standard *standardCaller
	exited   chan error
}

// greeting is the one line of JSON that a server prints once it answers.
type greeting struct {
	BaseURL      string   `json:"base_url"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	RedirectURIs []string `json:"redirect_uris"`
}

// startServer starts the real server on a data directory. Its log is appended
// to the file log. More flags may follow.
func startServer(program, data, log string, flags ...string) (*process, greeting, error) {
	flags = append([]string{"demo", "--listen", "127.0.0.1:0", "--data", data, "--json"}, flags...)
	return start(exec.Command(program, flags...), log)
}

func start(cmd *exec.Cmd, log string) (*process, greeting, error) {
	var g greeting
	stderr, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, g, err
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	// However the bench ends, what it started ends too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, g, err
	}
	if err := cmd.Start(); err != nil {
		return nil, g, err
	}
	p := &process{cmd: cmd, exited: make(chan error, 1)}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	go func() { p.exited <- cmd.Wait() }()
	if err != nil {
		return nil, g, fmt.Errorf("%s said nothing (%w); its log ends: %s", cmd.Path, p.stop(), tail(log))
	}
	if err := json.Unmarshal(line, &g); err != nil {
		p.stop()
		return nil, g, fmt.Errorf("%s: the first line is no JSON: %w", cmd.Path, err)
	}
	base, err := url.Parse(g.BaseURL)
	if err != nil || base.Port() == "" || len(g.RedirectURIs) == 0 {
		p.stop()
		return nil, g, fmt.Errorf("%s: the first line lacks base_url or redirect_uris", cmd.Path)
	}
	p.addr = "127.0.0.1:" + base.Port()
	p.app = newCaller(base.Host, g.ClientID, g.ClientSecret, g.RedirectURIs[0])
	return p, g, nil
}

func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-500):])
}

// pid is this process where none was started, as in tests.
func (p *process) pid() int {
	if p.cmd == nil {
		return os.Getpid()
	}
	return p.cmd.Process.Pid
}

// stop asks the server to end and waits for it. The error is its exit status.
func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		return err
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not end within 20 s of SIGTERM", p.cmd.Path)
	}
}

// resident returns how many bytes of the process are in memory now: all, and
// those that are not mapped from files.
func resident(pid int) (all, anonymous int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "VmRSS:" && f[0] != "RssAnon:" {
			continue
		}
		kib, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if f[0] == "VmRSS:" {
			all = kib << 10
		} else {
			anonymous = kib << 10
		}
	}
	if all == 0 || anonymous == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/status has no VmRSS or RssAnon", pid)
	}
	return all, anonymous, nil
}

// processorTime returns how long the process, and those of its children that have
// ended, have run on all cores so far, to 10 ms.
func processorTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses, which may hold anything.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 15 {
		return 0, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	var ticks int64
	for _, field := range f[11:15] { // utime, stime, cutime and cstime, in 1/100 s on Linux
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// machineTime returns how long all cores together have worked so far, for
// whomever, to 10 ms.
func machineTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, errors.New("/proc/stat does not begin with all cores")
	}
	var ticks int64
	for i, field := range f[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// used is how long processors have worked.
type used struct {
	server   time.Duration
	database time.Duration // for PostgreSQL
	own      time.Duration // for the load
	all      time.Duration // for everyone on the machine
}

// readOthers fills in what the load and everyone have used so far.
func (u *used) readOthers() (err error) {
	if u.all, err = machineTime(); err != nil {
		return err
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return err
	}
	u.own = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return nil
}

func (u used) since(before used) used {
	return used{u.server - before.server, u.database - before.database, u.own - before.own, u.all - before.all}
}
