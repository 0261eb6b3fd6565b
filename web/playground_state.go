package web

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

// play is what the app that the playground plays remembers. A real app keeps
// this in its own store; here it lies, sealed, in the browser's cookie.
type play struct {
	// What the next authorization request asks for. AppState and Verifier are
	// fresh for each one.
	Scope    string `json:"s"`
	Hint     string `json:"h,omitempty"`
	PKCE     bool   `json:"p,omitempty"`
	AppState string `json:"t"`
	Verifier string `json:"v"`

	// Code came with the last callback, CodeVerifier belongs to it, and
	// Answered are the query that a browser would have brought it in, when it
	// came as JSON.
	Code         string `json:"c,omitempty"`
	CodeVerifier string `json:"w,omitempty"`
	Answered     string `json:"q,omitempty"`
	Redeemed     bool   `json:"d,omitempty"`

	// As is how the app sends steps 3 and 5: asForm, asJSON or asBasic.
	As string `json:"a"`
	// Access is the latest access token; Refresh are the latest refresh tokens
	// of one connection, the current one last.
	Access  string   `json:"x,omitempty"`
	Refresh []string `json:"r,omitempty"`

	// Exchanges are what went over the wire, the oldest first. When they grow
	// too many for a cookie, some are forgotten.
	Exchanges []exchange `json:"e,omitempty"`
	// Count numbers the exchanges, also those that are forgotten; Done has the
	// bit of each step that was done well.
	Count int   `json:"n,omitempty"`
	Done  uint8 `json:"o,omitempty"`
}

// How the app sends its parameters and proves itself in steps 3 and 5.
const (
	asForm  = "form"
	asJSON  = "json"
	asBasic = "basic"
)

// exchange is one request and its answer as they went over the wire.
type exchange struct {
	Number int `json:"n"`
	Step   int `json:"s"`
	// Verdict names the sentence that says what it means: one of verdicts.
	Verdict  string `json:"v"`
	Status   int    `json:"c,omitempty"`
	Request  string `json:"q"`
	Response string `json:"r,omitempty"`
}

// playCookie holds the sealed state. It goes to the playground's paths only.
const playCookie = "symbolon-playground"

const (
	// maxPlayCookie bounds the cookie's value: browsers take 4096 bytes with
	// its name.
	maxPlayCookie = 3900
	// maxPlay bounds what is unpacked from one.
	maxPlay = 64 << 10
	// maxHint and maxPlayScope bound what a person may type, in characters;
	// maxPlayCode what may come as a code, in bytes.
	maxHint      = 100
	maxPlayScope = 200
	maxPlayCode  = 1000
)

// keptRefresh is how many refresh tokens are remembered: the current one, its
// predecessor, and the one before that, to show what a replay does.
const keptRefresh = 3

func newPlay() *play {
	s := &play{Scope: symbolon.ScopeConnect, PKCE: true, As: asForm}
	s.renew()
	return s
}

// renew makes what an authorization request uses once.
func (s *play) renew() { s.AppState, s.Verifier = rand.Text(), rand.Text()+rand.Text() }

// challengeOf is the S256 challenge of a verifier (RFC 7636 §4.2).
func challengeOf(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// add notes an exchange, with its step and verdict set.
func (s *play) add(e exchange) {
	s.Count++
	e.Number = s.Count
	if slices.Contains(goodVerdicts, e.Verdict) {
		s.Done |= 1 << e.Step
	}
	s.Exchanges = append(s.Exchanges, e)
}

// gained takes up the tokens of step 3 or 5.
func (s *play) gained(access, refresh string, born bool) {
	s.Access = access
	if born {
		s.Refresh = nil
	}
	if n := len(s.Refresh); n > 0 && s.Refresh[n-1] == refresh {
		return // the successor once more, or an app that does not rotate
	}
	s.Refresh = append(s.Refresh, refresh)
	s.Refresh = s.Refresh[max(0, len(s.Refresh)-keptRefresh):]
}

// open reads the state that the browser brings, or reports that there is none
// that this server made.
func (p *playground) open(r *http.Request) (*play, bool) {
	cookies := r.CookiesNamed(p.cookieName())
	if len(cookies) != 1 {
		return nil, false
	}
	packed, err := p.h.Ring.Open(seal.Play, cookies[0].Value, p.h.Engine.Now())
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxPlay))
	s := new(play)
	if err != nil || json.Unmarshal(plain, s) != nil {
		return nil, false
	}
	// A cookie from before an upgrade may name what is no more.
	s.Exchanges = slices.DeleteFunc(s.Exchanges, func(e exchange) bool { return !slices.Contains(verdicts, e.Verdict) })
	return s, true
}

// keep writes the state into the browser's cookie.
func (p *playground) keep(w http.ResponseWriter, s *play) error {
	for {
		text, err := p.seal(s)
		if err != nil {
			return err
		}
		if len(text) <= maxPlayCookie {
			p.setCookie(w, text, 0)
			return nil
		}
		if len(s.Exchanges) == 0 {
			return symbolon.Errorf(symbolon.Internal, "playground", "the state has %d bytes without any exchange", len(text))
		}
		s.forget()
	}
}

// forget drops an exchange: the oldest that is not the last of its step, so that
// the six steps stay to be read; or else the oldest.
func (s *play) forget() {
	at := slices.IndexFunc(s.Exchanges, func(e exchange) bool {
		return slices.ContainsFunc(s.Exchanges, func(later exchange) bool { return later.Step == e.Step && later.Number > e.Number })
	})
	s.Exchanges = slices.Delete(s.Exchanges, max(at, 0), max(at, 0)+1)
}

func (p *playground) seal(s *play) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, "playground", err)
	}
	var packed bytes.Buffer
	deflate, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		if _, err = deflate.Write(plain); err == nil {
			err = deflate.Close()
		}
	}
	if err != nil {
		return "", symbolon.Wrap(symbolon.Internal, "playground", err)
	}
	return p.h.Ring.Seal(seal.Play, packed.Bytes(), p.h.Engine.Now())
}

func (p *playground) cookieName() string {
	if p.h.secure {
		return "__Secure-" + playCookie // __Host- would send it along to every path
	}
	return playCookie
}

// setCookie sets the cookie; a negative maxAge removes it.
func (p *playground) setCookie(w http.ResponseWriter, text string, maxAge time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name:     p.cookieName(),
		Value:    text,
		Path:     playPath,
		MaxAge:   int(maxAge / time.Second),
		Secure:   p.h.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // the callback may come from another site's page
	})
}
