package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// playTimeout bounds one request of the playground to this server.
	playTimeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer, maxShown what is kept of a
	// request or an answer, in bytes.
	maxAnswer = 64 << 10
	maxShown  = 4 << 10
)

// send sends a request of the app's to this server and keeps what went over the
// wire, byte for byte but for the carriage returns. The error is for the log:
// there was no answer, and the exchange says so.
func (p *playground) send(from *http.Request, req *http.Request) (e exchange, body []byte, err error) {
	req.Header.Set("User-Agent", "symbolon-playground")
	req.Close = true
	var sent, got bytes.Buffer
	defer func() {
		e.Request, e.Response = shown(sent.Bytes()), shown(got.Bytes())
		if err != nil {
			e.Verdict = "unreachable"
		}
	}()
	conn, err := p.dial(from)
	if err != nil {
		_ = req.Write(&sent) // into memory, to show what would have gone
		return e, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(playTimeout)); err != nil {
		return e, nil, err
	}
	if err := req.Write(io.MultiWriter(conn, &sent)); err != nil {
		return e, nil, err
	}
	answer := io.TeeReader(io.LimitReader(conn, maxAnswer), &got)
	resp, err := http.ReadResponse(bufio.NewReader(answer), req)
	if err != nil {
		return e, nil, err
	}
	defer resp.Body.Close()
	e.Status = resp.StatusCode
	body, err = io.ReadAll(resp.Body)
	return e, body, err
}

// dial connects to this very server: to the address at which the browser's
// request arrived, since the issuer's may lead through a proxy, or to a name
// that cannot be reached from here. Without it (in a test), to the issuer.
func (p *playground) dial(from *http.Request) (net.Conn, error) {
	issuer, err := url.Parse(p.h.issuer)
	if err != nil {
		return nil, err
	}
	network, address := "tcp", issuer.Host
	if at, ok := from.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		network, address = at.Network(), at.String()
	}
	ctx, cancel := context.WithTimeout(from.Context(), playTimeout)
	defer cancel()
	var dialer net.Dialer
	if from.TLS == nil {
		return dialer.DialContext(ctx, network, address)
	}
	secure := tls.Dialer{NetDialer: &dialer, Config: &tls.Config{ServerName: issuer.Hostname(), MinVersion: tls.VersionTLS12}}
	return secure.DialContext(ctx, network, address)
}

// shown is what a page shows of bytes that went over the wire.
func shown(b []byte) string {
	s := strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\r\n", "\n")
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}
