//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"time"
)

// answer is one HTTP/1.1 answer as it came over the wire. The slices lie in
// the buffer that it was read into.
type answer struct {
	status int
	head   []byte // with the blank line
	body   []byte
}

func (a *answer) size() int { return len(a.head) + len(a.body) }

var (
	blankLine     = []byte("\r\n\r\n")
	contentLength = []byte("content-length")
)

// parseAnswer reads one answer from the front of b. It reports false when b
// holds only a part of it. It wants a Content-Length, which every answer of
// the page's API has.
func parseAnswer(b []byte) (a answer, complete bool, err error) {
	end := bytes.Index(b, blankLine)
	if end < 0 {
		if len(b) > 16<<10 {
			return a, false, errors.New("the head of the answer does not end within 16 KiB")
		}
		return a, false, nil
	}
	end += len(blankLine)
	a.head = b[:end]
	if len(a.head) < len("HTTP/1.1 200\r\n\r\n") || string(a.head[:9]) != "HTTP/1.1 " {
		return a, false, fmt.Errorf("no HTTP/1.1 status line: %.40q", a.head)
	}
	for _, c := range a.head[9:12] {
		if c < '0' || c > '9' {
			return a, false, fmt.Errorf("no status: %.40q", a.head)
		}
		a.status = a.status*10 + int(c-'0')
	}
	length, err := bodyLength(a.head)
	if err != nil {
		return a, false, err
	}
	if len(b) < end+length {
		return a, false, nil
	}
	if len(b) > end+length {
		return a, false, fmt.Errorf("%d bytes follow the answer", len(b)-end-length)
	}
	a.body = b[end:]
	return a, true, nil
}

// bodyLength finds the Content-Length in a head that ends in a blank line.
func bodyLength(head []byte) (int, error) {
	rest := head
	for {
		eol := bytes.IndexByte(rest, '\n')
		if eol < 0 {
			return 0, fmt.Errorf("an answer without Content-Length: %.200q", head)
		}
		rest = rest[eol+1:]
		// The first letter rules out most lines cheaply.
		if len(rest) <= len(contentLength) || rest[0]|0x20 != 'c' ||
			rest[len(contentLength)] != ':' || !bytes.EqualFold(rest[:len(contentLength)], contentLength) {
			continue
		}
		value := rest[len(contentLength)+1:]
		value = bytes.TrimSpace(value[:bytes.IndexByte(value, '\n')])
		n := 0
		for _, c := range value {
			if c < '0' || c > '9' || n > 1<<20 {
				return 0, fmt.Errorf("Content-Length %.20q is no length", value)
			}
			n = n*10 + int(c-'0')
		}
		if len(value) == 0 {
			return 0, errors.New("an empty Content-Length")
		}
		return n, nil
	}
}

// field returns the string that a JSON object has under name, given with its
// quotes. The value must need no escaping, in JSON or in a form: codes and
// tokens do not.
func field(body []byte, name string) ([]byte, error) {
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return nil, fmt.Errorf("no %s in %.200q", name, body)
	}
	rest := bytes.TrimLeft(body[at+len(name):], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil, fmt.Errorf("%s is no name in %.200q", name, body)
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return nil, fmt.Errorf("%s is no string in %.200q", name, body)
	}
	end := bytes.IndexByte(rest[1:], '"') + 1
	if end < 2 {
		return nil, fmt.Errorf("%s is empty or does not end in %.200q", name, body)
	}
	value := rest[1:end]
	for _, c := range value {
		if !unreserved[c] {
			return nil, fmt.Errorf("%s holds %q, which a form would have to escape", name, c)
		}
	}
	return value, nil
}

// unreserved are the characters that mean themselves in a URL (RFC 3986 §2.3).
var unreserved = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		set[c] = true
	}
	return set
}()

// exchange sends one request over a connection of its own and returns the
// answer, whatever its status.
func exchange(addr string, request []byte) (answer, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return answer{}, err
	}
	if _, err := conn.Write(request); err != nil {
		return answer{}, err
	}
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if a, complete, parseErr := parseAnswer(buf); complete || parseErr != nil {
			return a, parseErr
		}
		if err != nil {
			return answer{}, fmt.Errorf("after %d bytes of the answer: %w", len(buf), err)
		}
	}
}
