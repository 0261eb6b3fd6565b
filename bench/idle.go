//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is what the figures were measured on.
type machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	Kernel     string  `json:"kernel"`
	Go         string  `json:"go"`
	FileSystem string  `json:"file_system"`
	Sync       float64 `json:"sync_4k_ms"` // median time to make 4 KiB durable
}

func (b *bench) describe() error {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	m.Kernel = "Linux " + strings.TrimSpace(string(release))
	var fs syscall.Statfs_t
	if err := syscall.Statfs(b.Dir, &fs); err != nil {
		return err
	}
	const tmpfs, ext4, xfs, btrfs, overlay = 0x01021994, 0xef53, 0x58465342, 0x9123683e, 0x794c7630
	names := map[int64]string{tmpfs: "tmpfs", ext4: "ext4", xfs: "xfs", btrfs: "btrfs", overlay: "overlay"}
	if m.FileSystem = names[int64(fs.Type)]; m.FileSystem == "" {
		m.FileSystem = fmt.Sprintf("file system %#x", fs.Type)
	}
	if fs.Type == tmpfs {
		return fmt.Errorf("%s is in memory, where nothing is durable: give --dir on a disk", b.Dir)
	}
	if m.Sync, err = syncTime(filepath.Join(b.Dir, "sync")); err != nil {
		return err
	}
	b.report.Machine = m
	return nil
}

// syncTime returns the median time, in milliseconds, to make 4 KiB durable in
// a file that has its size already, as a write-ahead log mostly does.
func syncTime(file string) (float64, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer os.Remove(file)
	defer f.Close()
	page := make([]byte, 4096)
	var times []float64
	for i := range 101 {
		start := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		if i > 0 {
			times = append(times, milliseconds(time.Since(start)))
		}
	}
	return median(times), nil
}

// memory is what a server that has nothing to do keeps in memory.
type memory struct {
	Store     string `json:"store"`
	When      string `json:"when"`
	Resident  int64  `json:"resident_bytes"`
	Anonymous int64  `json:"anonymous_bytes"` // of these, not mapped from files
}

func (b *bench) idle(when, store string, p *process) error {
	all, anonymous, err := resident(p.pid())
	if err != nil {
		return err
	}
	b.report.Memory = append(b.report.Memory, memory{store, when, all, anonymous})
	return nil
}

// startup is how long a server takes from exec, in milliseconds, on a data
// directory that exists.
type startup struct {
	Runs     int    `json:"runs"`
	Greeting spread `json:"greeting_ms"` // until it says that it answers
	Healthz  spread `json:"healthz_ms"`  // until the first 200 on /healthz
	Request  spread `json:"request_ms"`  // until the first 200 on GET /info
	CPU      spread `json:"cpu_ms"`      // processor time until then
}

// startups starts the server on its data directory again and again. The token for
// GET /info is from the run before: that it is honoured shows that the server
// is whole, keys and store.
func (b *bench) startups(data string) error {
	var greetings, healthz, requests, cpu []float64
	var access []byte
	for i := range b.Starts + 1 {
		b.progress("start %d of %d", i+1, b.Starts+1)
		began := time.Now()
		p, g, err := startServer(b.Server, data, filepath.Join(b.Dir, "start.log"))
		if err != nil {
			return err
		}
		greeted := time.Since(began)
		took, err := firstAnswers(p, access, began)
		worked, cpuErr := processorTime(p.pid())
		if err == nil {
			err = cpuErr
		}
		if err == nil && i == 0 {
			access, err = accessToken(p, g)
		}
		if err == nil && i == b.Starts {
			time.Sleep(b.Rest / 5)
			err = b.idle("after start", "used store", p)
		}
		if stopErr := p.stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("the server did not stop well: %w", stopErr)
		}
		if err != nil {
			return err
		}
		if i == 0 { // brings the file into memory, and has no token yet
			continue
		}
		greetings = append(greetings, milliseconds(greeted))
		healthz = append(healthz, milliseconds(took[0]))
		requests = append(requests, milliseconds(took[1]))
		cpu = append(cpu, milliseconds(worked))
	}
	b.report.Startup = startup{b.Starts, spreadOf(greetings), spreadOf(healthz), spreadOf(requests), spreadOf(cpu)}
	return nil
}

// firstAnswers returns when, after began, /healthz and GET /info answered.
func firstAnswers(p *process, access []byte, began time.Time) (took [2]time.Duration, err error) {
	ask := func(what string, request []byte) error {
		a, err := exchange(p.addr, request)
		if err != nil {
			return err
		}
		return want200(what, &a)
	}
	health := []byte("GET /healthz HTTP/1.1\r\nHost: " + p.app.host + common + "\r\n")
	if err := ask("GET /healthz", health); err != nil {
		return took, err
	}
	took[0] = time.Since(began)
	if access == nil {
		return took, nil
	}
	if err := ask("GET /info", p.app.appendInfo(nil, access)); err != nil {
		return took, err
	}
	took[1] = time.Since(began)
	return took, nil
}

func accessToken(p *process, g greeting) ([]byte, error) {
	s, err := sample(p, g)
	if err != nil {
		return nil, err
	}
	return field(s.Answers["/refresh"].Body, `"access_token"`)
}
