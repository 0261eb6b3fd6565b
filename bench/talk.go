//go:build linux

package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// A talk is what one connection of the load says, over and over. It checks
// every answer.
type talk interface {
	// request returns what to send now. It is used before the next call.
	request() []byte
	// answer takes the answer to the last request. It reports whether one
	// unit of work is complete: one request, or one whole flow.
	answer(a *answer) (done bool, err error)
}

// caller makes the requests of one app, as bytes.
type caller struct {
	host      string // HOST:PORT, where the server listens
	authorize []byte // the whole request
	token     []byte // the form up to the code
	refresh   []byte // the form up to the refresh token
}

func newCaller(host, clientID, secret, redirectURI string) *caller {
	id, key, uri := url.QueryEscape(clientID), url.QueryEscape(secret), url.QueryEscape(redirectURI)
	return &caller{
		host: host,
		authorize: []byte("GET /authorize?response_type=code&client_id=" + id + "&redirect_uri=" + uri +
			"&scope=connect&state=symbolon-bench HTTP/1.1\r\nHost: " + host + common + "\r\n"),
		token: []byte("grant_type=authorization_code&client_id=" + id + "&client_secret=" + key +
			"&redirect_uri=" + uri + "&code="),
		refresh: []byte("grant_type=refresh_token&client_id=" + id + "&client_secret=" + key + "&refresh_token="),
	}
}

// common are the headers that most HTTP libraries send.
const common = "\r\nUser-Agent: symbolon-bench/1\r\nAccept: */*\r\n"

func (c *caller) appendPost(b []byte, path string, form, last []byte) []byte {
	b = append(b, "POST "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, common...)
	b = append(b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(form)+len(last)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, form...)
	return append(b, last...)
}

func (c *caller) appendToken(b, code []byte) []byte {
	return c.appendPost(b, "/token", c.token, code)
}

func (c *caller) appendRefresh(b, token []byte) []byte {
	return c.appendPost(b, "/refresh", c.refresh, token)
}

func (c *caller) appendInfo(b, token []byte) []byte {
	b = append(b, "GET /info HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, common...)
	b = append(b, "Authorization: Bearer "...)
	b = append(b, token...)
	return append(b, "\r\n\r\n"...)
}

// want200 is the check that every answer of the bench must pass.
func want200(what string, a *answer) error {
	if a.status != 200 {
		return fmt.Errorf("%s: %d %.300s", what, a.status, a.body)
	}
	return nil
}

// flow is the whole flow: GET /authorize as an API caller, then POST /token.
type flow struct {
	*caller
	code []byte // empty: authorize is next
	buf  []byte
	// born, when set, takes the refresh token of each new connection.
	born func(refreshToken []byte)
}

func (f *flow) request() []byte {
	if len(f.code) == 0 {
		return f.authorize
	}
	f.buf = f.appendToken(f.buf[:0], f.code)
	return f.buf
}

func (f *flow) answer(a *answer) (bool, error) {
	if len(f.code) == 0 {
		if err := want200("GET /authorize", a); err != nil {
			return false, err
		}
		code, err := field(a.body, `"code"`)
		f.code = append(f.code, code...)
		return false, err
	}
	f.code = f.code[:0]
	if err := want200("POST /token", a); err != nil {
		return false, err
	}
	token, err := field(a.body, `"refresh_token"`)
	if err == nil && f.born != nil {
		f.born(token)
	}
	return err == nil, err
}

// info asks GET /info again and again, with the access token of a connection
// of its own, which it makes first.
type info struct {
	flow
	ask []byte // the whole request; empty until the connection is made
}

func (i *info) request() []byte {
	if len(i.ask) == 0 {
		return i.flow.request()
	}
	return i.ask
}

func (i *info) answer(a *answer) (bool, error) {
	if len(i.ask) == 0 {
		made, err := i.flow.answer(a)
		if !made {
			return false, err
		}
		token, err := field(a.body, `"access_token"`)
		if err == nil {
			i.ask = i.appendInfo(nil, token)
		}
		return false, err
	}
	if err := want200("GET /info", a); err != nil {
		return false, err
	}
	_, err := field(a.body, `"id"`)
	return err == nil, err
}

// refresh spends refresh tokens in turn, each with the successor that it got
// before. Without any it first makes a connection of its own.
type refresh struct {
	flow
	tokens [][]byte
	next   int
}

func (r *refresh) request() []byte {
	if len(r.tokens) == 0 {
		return r.flow.request()
	}
	r.buf = r.appendRefresh(r.buf[:0], r.tokens[r.next])
	return r.buf
}

func (r *refresh) answer(a *answer) (bool, error) {
	if len(r.tokens) == 0 {
		made, err := r.flow.answer(a)
		if !made {
			return false, err
		}
		token, err := field(a.body, `"refresh_token"`)
		if err == nil {
			r.tokens = [][]byte{slices.Clone(token)}
		}
		return false, err
	}
	if err := want200("POST /refresh", a); err != nil {
		return false, err
	}
	successor, err := field(a.body, `"refresh_token"`)
	if err != nil {
		return false, err
	}
	if _, err := field(a.body, `"access_token"`); err != nil {
		return false, err
	}
	r.tokens[r.next] = append(r.tokens[r.next][:0], successor...)
	r.next = (r.next + 1) % len(r.tokens)
	return true, nil
}
