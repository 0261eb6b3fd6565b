package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// pair is a certificate with its key, read again when one of the files changes.
type pair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // mu
	seen    [2]fileState     // of which current was read; mu
	lookAt  time.Time        // when to look at the files again; mu
	toldAt  time.Time        // when a failure was last logged; mu
}

// fileState tells whether a file is still the same. The times of two files that
// were written within a few milliseconds may be equal, and so may their sizes.
type fileState struct {
	inode    uint64
	modified time.Time
	size     int64
}

// lookEvery is how long a change of the files may go unseen.
const lookEvery = time.Second

func loadPair(cert, key string, log *slog.Logger) (*pair, error) {
	p := &pair{cert: cert, key: key, log: log}
	seen, err := p.state()
	if err == nil {
		p.current, err = p.read()
	}
	if err != nil {
		return nil, mend(fmt.Errorf("the certificate cannot be used: %w", err), "tls_cert is the PEM file of the chain, tls_key that of its key; the user that runs the server must be able to read both")
	}
	p.seen, p.lookAt = seen, time.Now().Add(lookEvery)
	return p, nil
}

func (p *pair) read() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(p.cert, p.key)
	return &c, err
}

func (p *pair) state() ([2]fileState, error) {
	var states [2]fileState
	for i, path := range [...]string{p.cert, p.key} {
		info, err := os.Stat(path)
		if err != nil {
			return states, err
		}
		states[i] = fileState{modified: info.ModTime(), size: info.Size()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			states[i].inode = st.Ino
		}
	}
	return states, nil
}

// recommended are the cipher suites of TLS 1.2 that BCP 195 recommends (RFC 9325 §4.2, FAPI
// 2.0 §5.2.2). Those of TLS 1.3 are all good, and not ours to choose.
var recommended = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
}

// config returns how TLS is spoken. While ask holds, clients are asked for a
// certificate, which none need have and which is not verified here: an app proves
// itself by one (RFC 8705 §2), package oauth knows by which. Otherwise nobody is
// asked, since a browser that has a certificate shows a dialog then.
func (p *pair) config(ask *atomic.Bool) *tls.Config {
	quiet := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: recommended, GetCertificate: p.certificate, NextProtos: []string{"h2", "http/1.1"}}
	asking := quiet.Clone() // once, since it has the keys of the sessions that are resumed
	asking.ClientAuth = tls.RequestClientCert
	quiet.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if ask.Load() {
			return asking, nil
		}
		return nil, nil //nolint:nilnil // nil is quiet itself
	}
	return quiet
}

// certificate returns the certificate for a handshake. While the files cannot
// be read, or do not belong together because only one has been replaced yet, it
// is the one from before.
func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.lookAt) {
		return p.current, nil
	}
	p.lookAt = now.Add(lookEvery)
	state, err := p.state()
	if err == nil && state == p.seen {
		return p.current, nil
	}
	if err == nil {
		var next *tls.Certificate
		if next, err = p.read(); err == nil {
			p.current, p.seen = next, state
			p.log.Info("the certificate was read again", "file", p.cert)
			return p.current, nil
		}
	}
	if now.Sub(p.toldAt) > time.Minute {
		p.toldAt = now
		p.log.Error("the certificate changed and cannot be read; the one from before stays", "cause", err.Error())
	}
	return p.current, nil
}

// expires returns when the certificate does that is shown now.
func (p *pair) expires() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Leaf.NotAfter
}

// guarded is a listener that refuses every peer but those allowed and this very
// computer.
type guarded struct {
	net.Listener
	allowed []netip.Prefix
	log     *slog.Logger
	toldAt  time.Time // used by the one goroutine that accepts
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || g.allows(conn.RemoteAddr()) {
			return conn, err
		}
		if now := time.Now(); now.Sub(g.toldAt) > time.Minute {
			g.toldAt = now
			g.log.Warn("a peer outside trusted_proxy was refused; further ones are not told for a minute", "address", conn.RemoteAddr().String())
		}
		conn.Close()
	}
}

func (g *guarded) allows(peer net.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap()
	return addr.IsLoopback() || slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(addr) })
}
