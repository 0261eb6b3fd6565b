package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRequestInFlightIsFinished sends the head of a request, then SIGTERM, then
// the rest of the request: it is answered, nothing new is, and the server ends
// with status 0.
func TestRequestInFlightIsFinished(t *testing.T) {
	t.Parallel()
	p := startServe(t)
	address := strings.TrimPrefix(p.address(), "http://")
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	body := "refresh_token=x&client_id=x&client_secret=x"
	fmt.Fprintf(conn, "POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:5])
	time.Sleep(100 * time.Millisecond) // until the server has begun with it
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		extra, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			break // the listener is closed
		}
		extra.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still listens long after SIGTERM")
		}
	}
	if _, err := io.WriteString(conn, body[5:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request in flight is not answered: %v", err)
	}
	if resp.StatusCode != http.StatusNotFound { // no such app
		t.Errorf("the request in flight is answered %s", resp.Status)
	}
	resp.Body.Close()
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("it ended with %v", p.err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end once all is answered")
	}
}

// TestSecondSignalEndsAtOnce sends SIGTERM twice while a request never ends.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := startServe(t)
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(p.address(), "http://"), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nx")
	time.Sleep(100 * time.Millisecond)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.stderr.String(), "stopping"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not begin to stop")
		}
	}
	select {
	case <-p.ended:
		t.Fatal("it ended although a request was in flight")
	case <-time.After(200 * time.Millisecond):
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		t.Error("a second signal does not end it")
	}
}

func startServe(t *testing.T, more ...string) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	args := []string{"serve", "--base-url", "https://auth.example", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d")}
	p.cmd = exec.Command("symbolon", append(args, more...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	for deadline := time.Now().Add(20 * time.Second); p.address() == ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve: %s", p.stderr.String())
		}
	}
	return p
}
