//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The bare handler is the yardstick: net/http with nothing behind it. It
// answers each path with what the real server answered once, byte for byte but
// for the date, so that both move the same number of bytes.

// script is what the bare handler reads: what to say in greeting, and each
// path's answer.
type script struct {
	Greeting greeting `json:"greeting"`
	// Second is the app whose tokens are JWTs, where it is measured.
	Second  greeting          `json:"second,omitzero"`
	Answers map[string]canned `json:"answers"`
}

type canned struct {
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
	Size   int         `json:"size"` // of head and body together, in bytes
}

func can(a answer) (canned, error) {
	lines := strings.Split(strings.TrimSpace(string(a.head)), "\r\n")
	c := canned{Header: http.Header{}, Body: append([]byte(nil), a.body...), Size: a.size()}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return c, fmt.Errorf("header line %.80q has no colon", line)
		}
		// The key is set as it was sent, which net/http then keeps.
		if name != "Date" {
			c.Header[name] = append(c.Header[name], strings.TrimSpace(value))
		}
	}
	return c, nil
}

// sample walks the steps once and returns every answer.
func sample(p *process, g greeting) (script, error) {
	s := script{Greeting: g, Answers: map[string]canned{}}
	ask := func(path string, request []byte) (answer, error) {
		a, err := exchange(p.addr, request)
		if err == nil {
			err = want200(path, &a)
		}
		if err == nil {
			s.Answers[path], err = can(a)
		}
		return a, err
	}
	a, err := ask("/authorize", p.app.authorize)
	if err != nil {
		return s, err
	}
	code, err := field(a.body, `"code"`)
	if err != nil {
		return s, err
	}
	if a, err = ask("/token", p.app.appendToken(nil, code)); err != nil {
		return s, err
	}
	access, err := field(a.body, `"access_token"`)
	if err != nil {
		return s, err
	}
	refresh, err := field(a.body, `"refresh_token"`)
	if err != nil {
		return s, err
	}
	if _, err = ask("/info", p.app.appendInfo(nil, access)); err != nil {
		return s, err
	}
	if _, err = ask("/refresh", p.app.appendRefresh(nil, refresh)); err == nil && p.standard != nil {
		// The paths of the steps keep the answers that they have.
		err = p.standard.sample(func(path string, request []byte) (answer, error) {
			if _, known := s.Answers[path]; known {
				return plain(p.addr)(path, request)
			}
			return ask(path, request)
		})
	}
	return s, err
}

// startBare starts this program again as a bare handler that answers as the
// real server did, and proves that the sizes are the same.
func startBare(dir string, s script) (*process, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bare.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, g, err := start(exec.Command(self, "bare", file), filepath.Join(dir, "bare.log"))
	if err != nil {
		return nil, err
	}
	if s.Second.ClientID != "" {
		p.standard = newStandardCaller(p.addr, p.app, g, s.Second)
	}
	mine, err := sample(p, g)
	if err != nil {
		return nil, fmt.Errorf("bare handler: %w", err)
	}
	for path, want := range s.Answers {
		if got := mine.Answers[path]; want.Size != 0 && got.Size != want.Size { // 0: a stand-in
			return nil, fmt.Errorf("bare handler: %s answers %d bytes, the server %d", path, got.Size, want.Size)
		}
	}
	return p, nil
}

// serveBare is the bare handler itself. It returns only on an error.
func serveBare(file string, stdout io.Writer) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s script
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Greeting.BaseURL = "http://" + listener.Addr().String()
	if err := json.NewEncoder(stdout).Encode(s.Greeting); err != nil {
		return err
	}
	return http.Serve(listener, bareHandler(s.Answers))
}

func bareHandler(answers map[string]canned) http.Handler {
	for _, c := range answers {
		c.Header["Content-Length"] = []string{strconv.Itoa(len(c.Body))}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := answers[r.URL.Path+"?"+r.URL.RawQuery]
		if !ok {
			c, ok = answers[r.URL.Path]
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h := w.Header()
		for name, values := range c.Header {
			h[name] = values
		}
		w.Write(c.Body)
	})
}

// standIn is a script for when there is no server to take the answers from:
// of about its sizes, for measuring the load alone.
func standIn() script {
	token := strings.Repeat("abcdefgh", 32)
	header := http.Header{
		"Content-Type":           {"application/json"},
		"Cache-Control":          {"no-store"},
		"Pragma":                 {"no-cache"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Request-Id":           {"abcdefghijklmnopqrstuvwxyz"},
	}
	s := script{
		Greeting: greeting{ClientID: "sym_app_demo", ClientSecret: "sym_secret_demo", RedirectURIs: []string{"https://www.make.com/oauth/cb/app"}},
		Answers:  map[string]canned{},
	}
	tokens := `{"access_token":"` + token + `","token_type":"Bearer","expires_in":600,"refresh_token":"` + token +
		`","refresh_expires_in":7776000,"scope":"connect"}`
	for path, body := range map[string]string{
		"/authorize": `{"code":"` + token + `","state":"symbolon-bench","iss":"http://127.0.0.1:1"}`,
		"/token":     tokens,
		"/refresh":   tokens,
		"/info":      `{"id":"d1b03e513fbc5881651d6c149fd259506f975ae1","user":"Jane Doe"}`,
	} {
		s.Answers[path] = canned{Header: header.Clone(), Body: []byte(body)}
	}
	return s
}
