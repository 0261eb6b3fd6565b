package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Start starts the server, after Stop or Kill as well, and returns when it takes
// connections. Only what keeps it small is set: what makes it durable is as by
// default, unless the options say otherwise.
func (c *Cluster) Start() error {
	name, err := Program("postgres")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	settings := []string{"shared_buffers=64MB", "max_connections=200", "listen_addresses="}
	if c.options.TCP {
		settings[2] += "127.0.0.1"
	}
	if c.options.NoFsync {
		settings = append(settings, "fsync=off")
	}
	if c.follows != "" {
		settings = append(settings, "primary_conninfo="+c.follows, "wal_retrieve_retry_interval=100ms")
	}
	args := []string{"-D", c.data(), "-k", c.dir, "-p", strconv.Itoa(c.port)}
	for _, s := range append(settings, c.options.Settings...) {
		args = append(args, "-c", s)
	}
	server := c.command(name, args...)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	c.server, c.ended = server, ended
	go func() {
		_ = server.Wait() // its log says why
		close(ended)
	}()
	return c.answers()
}

// answers waits until the server takes connections.
func (c *Cluster) answers() error {
	var err error
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		if err = c.Exec("postgres", "SELECT 1"); err == nil {
			return nil
		}
		select {
		case <-c.ended:
			c.server = nil
			return fmt.Errorf("the server has ended:\n%s", c.log())
		default:
		}
	}
	return fmt.Errorf("the server does not answer: %w\n%s", err, c.log())
}

// log returns what the server has logged.
func (c *Cluster) log() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop ends the server in order, and its connections with it.
func (c *Cluster) Stop() error { return c.end(syscall.SIGINT) }

// end has the server end by a signal and waits for it.
func (c *Cluster) end(signal syscall.Signal) error {
	if err := c.server.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case <-c.ended:
		c.server = nil
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the server does not end:\n%s", c.log())
	}
}

// Kill ends the server and all of its processes as a crash of the machine does:
// nobody says good-bye. What was not on stable storage is left to the kernel.
func (c *Cluster) Kill() error {
	// Stopped first, so that it starts no more of them: one that is left over holds
	// the shared memory, and no server starts beside it.
	family, err := c.stopFirst()
	if err != nil {
		return err
	}
	if err := c.end(syscall.SIGKILL); err != nil {
		return err
	}
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	for _, pid := range family {
		await(pid, "ZX ")
	}
	return nil
}

// Freeze stops all of the server's processes where they are. The kernel goes on
// taking connections and bytes for them, which nobody answers.
func (c *Cluster) Freeze() error {
	family, err := c.stopFirst()
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended
	}
	return err
}

// Thaw has a server go on that was frozen.
func (c *Cluster) Thaw() error {
	family, err := childrenOf(c.server.Process.Pid)
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	if err != nil {
		return err
	}
	return c.server.Process.Signal(syscall.SIGCONT)
}

// Processes returns the ids of all of the server's processes, the first of them
// first, for whoever measures what they use.
func (c *Cluster) Processes() ([]int, error) {
	family, err := childrenOf(c.server.Process.Pid)
	return append([]int{c.server.Process.Pid}, family...), err
}

// stopFirst stops the first of the server's processes and returns the others.
func (c *Cluster) stopFirst() ([]int, error) {
	if err := c.server.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	await(c.server.Process.Pid, "TZ ")
	return childrenOf(c.server.Process.Pid)
}

// await waits until a process is in one of the states.
func await(pid int, states string) {
	for n := 0; n < 1000 && !strings.ContainsRune(states, stateOf(pid)); n++ {
		time.Sleep(5 * time.Millisecond)
	}
}

// stateOf returns the letter of a process's state, or a space when it is gone.
func stateOf(pid int) rune {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ' '
	}
	return rune(text[strings.LastIndexByte(string(text), ')')+2])
}

// childrenOf returns the processes that a process has started.
func childrenOf(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var list []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid: the name may hold anything, even a bracket.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if ppid, err := strconv.Atoi(fields[1]); err == nil && ppid == parent {
			pid, err := strconv.Atoi(strings.Split(name, "/")[2])
			if err != nil {
				return nil, err
			}
			list = append(list, pid)
		}
	}
	return list, nil
}

// CPU returns how much processor time the server's processes have used that run
// now, in steps of 10 ms.
func (c *Cluster) CPU() (time.Duration, error) {
	family, err := childrenOf(c.server.Process.Pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, pid := range append(family, c.server.Process.Pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	const perSecond = 100 // as Linux tells it to programs, whatever its own ticks
	return time.Duration(ticks) * time.Second / perSecond, nil
}
