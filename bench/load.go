//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"time"
)

// The load shares the cores with the server it measures, so it has to cost
// little: one thread, one epoll, one read and one write a request, no memory
// allocated, no goroutine woken.

// span says how long a load lasts: for a time, or until so many units of work
// are done, or whatever comes first.
type span struct {
	warm  time.Duration // at the start, not measured
	time  time.Duration // measured; 0: without a limit
	count uint64        // 0: without a limit
}

// outcome is what came of one load.
type outcome struct {
	done     uint64        // units of work
	all      uint64        // with those before and after the measured time
	elapsed  time.Duration // in which they were done
	latency  histogram     // of each unit of work
	failures uint64        // answers that were not as they must be
	samples  []string      // the first few of them
	used     used          // meanwhile
}

// perSecond is 0 for a load that broke off before it was measured.
func (o *outcome) perSecond() float64 {
	if o.elapsed <= 0 {
		return 0
	}
	return float64(o.done) / o.elapsed.Seconds()
}

func (o *outcome) fail(err error) {
	if o.failures++; len(o.samples) < 5 {
		o.samples = append(o.samples, err.Error())
	}
}

// maxFailures is after how many of them a load stops: it has shown enough.
const maxFailures = 1000

// stalled is how long a load waits for any answer before it stops.
const stalled = 10 * time.Second

// client is one keep-alive connection of a load.
type client struct {
	talk  talk
	fd    int
	began time.Duration // when its unit of work began
	buf   []byte
	n     int // bytes of the answer read so far
}

// load speaks to a server, one talk a connection, each with one request under
// way at any time. The last requests are answered before it returns.
func load(t target, talks []talk, s span) (*outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(epoll)
	clients := make([]client, len(talks))
	for i := range clients {
		fd, err := dial(t.node(i).addr)
		if err != nil {
			return nil, fmt.Errorf("connection %d to %s: %w", i+1, t.node(i).addr, err)
		}
		defer syscall.Close(fd)
		clients[i] = client{talk: talks[i], fd: fd, buf: make([]byte, 16<<10)}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return nil, fmt.Errorf("epoll: %w", err)
		}
	}
	return drive(epoll, clients, t, s)
}

func dial(addr string) (int, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.Connect(fd, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}),
		syscall.SetNonblock(fd, true))
	if err != nil {
		syscall.Close(fd)
	}
	return fd, err
}

func drive(epoll int, clients []client, t target, s span) (*outcome, error) {
	var (
		o         = new(outcome)
		start     = time.Now()
		before    used
		measuring bool
		closing   bool
		from      time.Duration
		pending   = len(clients)
		events    = make([]syscall.EpollEvent, len(clients))
	)
	for i := range clients {
		if err := clients[i].send(); err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	for pending > 0 {
		n, err := syscall.EpollWait(epoll, events, int(stalled.Milliseconds()))
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("epoll: %w", err)
		}
		if n == 0 {
			o.fail(fmt.Errorf("%d connections had no answer within %v", pending, stalled))
			return o, nil
		}
		for _, event := range events[:n] {
			c := &clients[event.Fd]
			a, complete, err := c.receive()
			if err != nil { // the connection is of no more use
				o.fail(err)
				pending--
				if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_DEL, c.fd, nil); err != nil {
					return nil, fmt.Errorf("epoll: %w", err)
				}
				continue
			}
			if !complete {
				continue
			}
			done, err := c.talk.answer(&a)
			now := time.Since(start)
			if err != nil {
				o.fail(err)
			}
			if done {
				o.all++
				if measuring && !closing {
					o.done++
					o.latency.add(now - c.began)
				}
				c.began = now
			}
			if !measuring && (now >= s.warm || o.failures >= maxFailures) {
				measuring, from = true, now
				if before, err = t.used(); err != nil {
					return nil, err
				}
			}
			if !closing && measuring && s.over(now-from, o) {
				closing, o.elapsed = true, now-from
				after, err := t.used()
				if err != nil {
					return nil, err
				}
				o.used = after.since(before)
			}
			if closing {
				pending--
				continue
			}
			if err := c.send(); err != nil {
				o.fail(err)
				pending--
			}
		}
	}
	if !closing {
		return o, errors.New("every connection broke: " + fmt.Sprint(o.samples))
	}
	return o, nil
}

func (s span) over(elapsed time.Duration, o *outcome) bool {
	if o.failures >= maxFailures {
		return true
	}
	return s.count > 0 && o.done >= s.count || s.time > 0 && elapsed >= s.time
}

func (c *client) send() error {
	request := c.talk.request()
	c.n = 0
	// One small request is under way at most, so it always fits the socket.
	n, err := syscall.Write(c.fd, request)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if n != len(request) {
		return fmt.Errorf("write: %d of %d bytes", n, len(request))
	}
	return nil
}

func (c *client) receive() (answer, bool, error) {
	n, err := syscall.Read(c.fd, c.buf[c.n:])
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return answer{}, false, nil
	}
	if err != nil {
		return answer{}, false, fmt.Errorf("read: %w", err)
	}
	if n == 0 {
		return answer{}, false, fmt.Errorf("the server closed the connection after %d bytes of an answer", c.n)
	}
	c.n += n
	a, complete, err := parseAnswer(c.buf[:c.n])
	if err == nil && !complete && c.n == len(c.buf) {
		err = fmt.Errorf("an answer of more than %d bytes", len(c.buf))
	}
	return a, complete, err
}
