//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Attacks that are about HTTP.
func TestAttackHTTP(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	paths := []string{"/authorize", "/token", "/info", "/refresh", "/invalidate", "/sign-in", "/choose", "/consent", "/sign-out", "/continue", "/healthz", "/nothing"}
	t.Run("B66 10 MB to every path, with and without a length", func(t *testing.T) {
		for _, path := range paths {
			for _, length := range []int64{10 << 20, -1} {
				req := request(t, http.MethodPost, d.base+path, io.LimitReader(zeros{}, 10<<20), header("Content-Type", "application/x-www-form-urlencoded"))
				req.ContentLength = length
				r, err := trySend(bare, req)
				if err != nil {
					continue // it hung up, which is an answer too
				}
				if r.Status < 400 || r.Status >= 500 {
					t.Errorf("%s, length %d: %d", path, length, r.Status)
				}
			}
		}
	})
	t.Run("B66 100,000 parameters", func(t *testing.T) {
		body := strings.Repeat("a&", 30_000)
		refused(t, d.postRaw(t, "/token", "application/x-www-form-urlencoded", body), 400, "invalid_request")
		refused(t, d.postRaw(t, "/token", "application/x-www-form-urlencoded", strings.Repeat("a=b&", 100_000)), 413, "invalid_request")
		refused(t, d.get(t, "/authorize?"+strings.Repeat("a&", 200)), 400, "invalid_request")
	})
	t.Run("B66 a state that fits in no redirect", func(t *testing.T) {
		v := a.authorization("state", strings.Repeat("s", 5000))
		refused(t, a.authorize(t, v), 400, "invalid_request")
		redirectedWith(t, a, a.authorize(t, with(v, "state", strings.Repeat("s", 5000)), asBrowser), "invalid_request")
		for _, n := range []int{20_000, 60_000} {
			r := a.authorize(t, a.authorization("state", strings.Repeat("s", n)))
			if r.Status != 414 && r.Status != 431 && r.Status != 400 {
				t.Errorf("a state of %d: %d", n, r.Status)
			}
			isJSON(t, r)
		}
	})
	t.Run("B67 huge headers", func(t *testing.T) {
		for name, headers := range map[string]string{
			"a cookie of 1 MB": "Cookie: a=" + strings.Repeat("x", 1<<20) + "\r\n",
			"1000 headers":     strings.Repeat("X-Header: "+strings.Repeat("y", 90)+"\r\n", 1000),
			"a token of 1 MB":  "Authorization: Bearer " + strings.Repeat("z", 1<<20) + "\r\n",
		} {
			c := d.dial(t)
			go fmt.Fprintf(c, "GET /info HTTP/1.1\r\nHost: x\r\n%s\r\n", headers)
			r, err := readReply(bufio.NewReader(c))
			// Past its own limit net/http answers by itself, in plain text, and
			// hangs up before it has read the request.
			if err == nil && r.Status != 431 {
				t.Errorf("%s: %d", name, r.Status)
			}
		}
		r := d.get(t, "/info", bearer(strings.Repeat("z", 20<<10)))
		if r.Status != 431 && r.Status != 401 {
			t.Errorf("a token of 20 KB: %d", r.Status)
		}
		isJSON(t, r)
	})
	t.Run("B68 no text, NUL and controls in every parameter", func(t *testing.T) {
		for _, bad := range []string{"\x00", "\xff\xfe", "\xc0\xaf", "a\r\nX-Injected: 1", "\x1b[31m", "\u0085\u2028", "\xed\xa0\x80"} {
			for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "response_type", "code_challenge", "code_challenge_method", "login_hint", "prompt", "resource"} {
				v := a.authorization(name, bad)
				for _, opts := range [][]option{nil, {asBrowser}} {
					r := a.authorize(t, v, opts...)
					if r.Status >= 500 && r.Status != 501 || r.Header.Get("X-Injected") != "" || bytes.Contains(r.Body, []byte("\x1b[31m")) || bytes.ContainsRune(r.Body, 0) {
						t.Errorf("%s=%q: %d", name, bad, r.Status)
					}
				}
			}
			for _, name := range []string{"grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "scope"} {
				for _, path := range []string{"/token", "/refresh"} {
					for _, e := range encodings {
						r := d.postAs(t, e, path, with(a.redemption("sym_ac_x", "refresh_token", "sym_rt_x"), name, bad))
						if r.Status != 400 && r.Status != 404 && r.Status != 501 {
							t.Errorf("%s %s=%q as %s: %d %s", path, name, bad, e.name, r.Status, r.Body)
						}
					}
				}
			}
		}
	})
	t.Run("B69 JSON that readers understand in two ways", func(t *testing.T) {
		code := a.code(t)
		_, good := encodings[1].body(a.redemption(code))
		for _, body := range []string{
			`{"grant_type":"x",` + good[1:],
			strings.TrimSuffix(good, "}") + `,"grant_type":"refresh_token"}`,
			strings.Replace(good, `"grant_type"`, `"Grant_Type"`, 1),
			strings.Replace(good, `"code"`, `"CODE"`, 1),
			good + "{}",
			"\ufeff" + good + "x",
			strings.Replace(good, `"code":"`, `"code":"\u0000`, 1),
		} {
			refused(t, d.postRaw(t, "/token", "application/json", body), 400, "invalid_request")
		}
		granted(t, d.postRaw(t, "/token", "application/json", good))
	})
	t.Run("B20 B70 one kind of body in the name of another", func(t *testing.T) {
		v := a.redemption(a.code(t))
		_, object := encodings[1].body(v)
		refused(t, d.postRaw(t, "/token", "application/x-www-form-urlencoded", object), 400, "invalid_request")
		refused(t, d.postRaw(t, "/token", "application/json", v.Encode()), 400, "invalid_request")
		refused(t, d.postRaw(t, "/token", "application/x-www-form-urlencoded;charset=utf-16", v.Encode()), 415, "invalid_request")
		refused(t, d.postRaw(t, "/token?client_id="+a.ID, "application/x-www-form-urlencoded", with(v, "client_id", "").Encode()), 400, "invalid_request")
		r := raw(t, d, fmt.Sprintf("POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(v.Encode()), v.Encode()))
		refused(t, r, 415, "invalid_request")
		granted(t, d.post(t, "/token", v))
	})
	t.Run("request smuggling: two lengths", func(t *testing.T) {
		for _, headers := range []string{
			"Content-Length: 5\r\nContent-Length: 6\r\n",
			"Content-Length: 5\r\nTransfer-Encoding: chunked, identity\r\n",
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
			"Content-Length: +5\r\n", "Content-Length: -1\r\n",
		} {
			r := raw(t, d, "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+headers+"\r\nhello")
			if r.Status != 400 && r.Status != 501 {
				t.Errorf("%q: %d", headers, r.Status)
			}
		}
	})
	// After all of that it works as before.
	a.alive(t, a.connect(t))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// SYM-HTTP-4: who sends slowly is hung up on, and takes no one's place.
func TestAttackSlow(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	v := a.connect(t)
	text := d.postText("/refresh", a.refreshing(v.refresh))
	for name, c := range map[string]struct {
		text  string
		bound time.Duration
	}{
		"nothing at all": {"", 15 * time.Second},
		"half a header":  {text[:40], 10 * time.Second},
		"half a body":    {text[:len(text)-20], 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := d.dial(t)
			conn.SetDeadline(time.Now().Add(c.bound))
			io.WriteString(conn, c.text)
			began := time.Now()
			b, err := io.ReadAll(conn)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatalf("after %v the server still waits", c.bound)
			}
			if len(b) > 0 {
				r, err := readReply(bufio.NewReader(bytes.NewReader(b)))
				if err != nil || r.Status != 400 && r.Status != 408 {
					t.Errorf("answered %q", b)
				}
			}
			t.Logf("hung up after %v", time.Since(began).Round(time.Second))
		})
	}
	t.Run("500 slow clients keep no one out", func(t *testing.T) {
		for range 500 {
			c := d.dial(t)
			io.WriteString(c, text[:60])
		}
		began := time.Now()
		if r := d.info(t, v.access); r.Status != 200 {
			t.Errorf("%d", r.Status)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("a quick client waited %v", took)
		}
	})
}

// B75: what is sent ends in no log line of its own making.
func TestAttackLog(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	evil := "x\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\n\x1b[2J\u202e"
	a.authorize(t, a.authorization("state", evil, "login_hint", evil, "scope", evil))
	a.authorize(t, a.authorization("client_id", evil), asBrowser)
	d.post(t, "/token", a.redemption(evil))
	d.get(t, "/"+url.PathEscape(evil))
	raw(t, d, "GET /info HTTP/1.1\r\nHost: evil\x1b[2J\r\nConnection: close\r\n\r\n")
	raw(t, d, "GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \x1b[2J{\"forged\":1}\r\nX-Forwarded-For: {\"forged\":1}\r\nX-Request-Id: forged\r\n\r\n")
	p := d.newPerson(t, bare)
	p.open(t, "/authorize?"+a.authorization().Encode())
	p.signIn(t, "forged"+evil, "a password that is wrong")
	for _, name := range []string{"forged\nname", "forged\x1b[2J", "forged\u202e"} {
		if _, _, status := command(t, "", "app", "create", "--data", d.dir, "--name", name, "--redirect-uri", "https://c1.test/cb"); status == 0 {
			t.Errorf("an app may be called %q", name)
		}
	}
	d.stop()
	text := d.logText()
	if strings.Contains(text, "forged") && strings.Contains(text, `"msg":"forged"`) || strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("the log was written by a caller:\n%s", d.logTail())
	}
	for line := range strings.Lines(text) {
		var v struct {
			Level, Msg string
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Level == "" || v.Msg == "" {
			t.Errorf("a line of the log is no record: %v %q", err, line)
		}
	}
}

// B84: a flood of requests that prove nothing leaves nothing behind.
func TestAttackFlood(t *testing.T) {
	t.Parallel()
	d := startDemo(t, newDir())
	a := d.theApp()
	n := rounds(10_000, 100_000)
	code := "GET /authorize?" + a.authorization().Encode() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	page := "GET /authorize?" + a.authorization().Encode() + " HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
	none := "GET /authorize?" + a.authorization("client_id", "sym_app_nobody").Encode() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	flood := func(n int) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				c, err := net.Dial("tcp", d.host())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				read := bufio.NewReaderSize(c, 64<<10)
				for i := range n / 8 {
					text, want := code, 200
					switch (i + w) % 8 {
					case 0:
						text = page
					case 1, 2:
						text, want = strings.Replace(none, "nobody", "nobody"+strconv.Itoa(i), 1), 404
					}
					if _, err := io.WriteString(c, text); err != nil {
						t.Error(err)
						return
					}
					res, err := http.ReadResponse(read, nil)
					if err != nil || res.StatusCode != want {
						t.Errorf("%v %+v", err, res)
						return
					}
					io.Copy(io.Discard, res.Body)
				}
			})
		}
		wg.Wait()
	}
	flood(2000)
	files, memory := dirSize(t, d.dir)-logSize(t, d.dir), d.resident(t)
	flood(n)
	if now := dirSize(t, d.dir) - logSize(t, d.dir); now > files+64<<10 {
		t.Errorf("the data directory grew from %d to %d bytes", files, now)
	}
	// The request log keeps so many of each app, and of those that name none.
	if now := logSize(t, d.dir); now > 16<<20 {
		t.Errorf("the request log has %d bytes", now)
	}
	if now := d.resident(t); now > memory*3/2+32<<20 {
		t.Errorf("memory grew from %d to %d MB", memory>>20, now>>20)
	}
	var list []any
	d.cli(t, "", &list, "connection", "list")
	if len(list) != 0 {
		t.Errorf("%d connections", len(list))
	}
}

// logSize is how much of it the request log takes.
func logSize(t testing.TB, dir string) int64 {
	t.Helper()
	var sum int64
	files, err := filepath.Glob(filepath.Join(dir, "requests.db*"))
	must(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// dirSize is how many bytes the files of a directory have.
func dirSize(t testing.TB, dir string) int64 {
	t.Helper()
	var sum int64
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// resident is how much memory the server has, in bytes.
func (s *server) resident(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}
