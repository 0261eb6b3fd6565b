package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/web"
)

// checked are settings that were found to be right, in the form in which the
// server uses them.
type checked struct {
	listen  string // for net.Listen
	proxies []netip.Prefix
	fetches []netip.Prefix // fetch_networks
	scopes  []symbolon.Scope
	look    web.Appearance

	resources          []oauth.Resource
	issuers            []oauth.TrustedIssuer
	details            []oauth.DetailType
	clientCAs          *x509.CertPool
	registrationScopes symbolon.Scopes
	ways               ways
}

// check returns the settings in the form in which the server uses them, or
// everything that is wrong with them.
func (s *settings) check() (checked, error) {
	var c checked
	var faults []error
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	note(checkBaseURL(s.BaseURL))
	if s.Database != "" {
		note(checkDatabaseURL(s.Database))
	}
	note(s.logSettings.check())
	host, _, err := splitListen(s.Listen)
	note(err)
	c.listen = s.Listen
	var perr error
	c.proxies, perr = parseNetworks("trusted_proxy", s.TrustedProxies)
	note(perr)
	c.fetches, perr = parseNetworks("fetch_networks", s.FetchNetworks)
	note(perr)
	if (s.TLSCert == "") != (s.TLSKey == "") {
		note(mend(fmt.Errorf("only one of tls_cert and tls_key is set"), "set both, or neither"))
	}
	if s.TLSCert != "" && len(s.TrustedProxies) > 0 {
		note(mend(fmt.Errorf("both a certificate and a trusted proxy are set"), "either this server ends TLS (tls_cert and tls_key) or a proxy does (trusted_proxy)"))
	}
	if err == nil && s.TLSCert == "" && len(s.TrustedProxies) == 0 && !isLoopback(host) {
		note(mend(fmt.Errorf("it would speak plain HTTP on %s, where others can listen in", s.Listen),
			"set tls_cert and tls_key; or trusted_proxy, the network of the proxy that ends TLS; or listen on 127.0.0.1"))
	}
	scopes, serr := parseScopeTexts(s.Scopes)
	c.scopes = withOpenID(scopes)
	note(serr)
	look, lerr := s.appearanceSettings.read()
	c.look = look
	note(lerr)
	s.checkWays(&c, note)
	s.checkStandard(&c, note)
	note(s.lifetimes.check())
	note(s.watchSettings.check(len(s.TrustedProxies) > 0))
	return c, errors.Join(faults...)
}

// hidesCallers reports whether the server looks as if it stood behind a proxy of
// which it has not been told.
func (s *settings) hidesCallers() bool {
	host, _, err := splitListen(s.Listen)
	return err == nil && isLoopback(host) && strings.HasPrefix(s.BaseURL, "https:") && s.TLSCert == "" && len(s.TrustedProxies) == 0
}

// otherPort returns the port of a base URL that only this computer can reach and
// on which this server does not listen, or empty: nobody would find it. Before a
// trusted proxy it is the proxy's port.
func (s *settings) otherPort() string {
	_, port, err := splitListen(s.Listen)
	u, err2 := url.Parse(s.BaseURL)
	if err != nil || err2 != nil || u.Scheme != "http" || s.TLSCert != "" || port == 0 || len(s.TrustedProxies) > 0 {
		return ""
	}
	if at := cmp.Or(u.Port(), "80"); at != strconv.Itoa(port) {
		return at
	}
	return ""
}

// What otherPort means, and what mends it.
const (
	otherPort     = "the base URL names another port than the one that this server listens on, so what it links to is not found"
	otherPortMend = "listen on the port of the base URL: --listen 127.0.0.1:%s"
)

// What hidesCallers means, and what mends it.
const (
	hidesCallers     = "the base URL is https and this server speaks plain HTTP, so a proxy stands before it, and none is trusted: every caller counts as the proxy. All share one budget for signing in, and the log has the proxy's address for everyone's"
	hidesCallersMend = "name the proxy: --trusted-proxy 127.0.0.1/32, and let it set X-Forwarded-For"
)

func (l *lifetimes) check() error {
	const day = 24 * time.Hour
	faults := []error{
		l.CodeLifetime.within("code_lifetime", 10*time.Second, 10*time.Minute),
		l.AccessLifetime.within("access_lifetime", time.Minute, day),
		l.RefreshLifetime.within("refresh_lifetime", time.Hour, 3650*day),
		l.PublicGrace.within("public_grace", time.Second, 10*time.Minute),
		l.SessionLifetime.within("session_lifetime", time.Minute, 365*day),
	}
	if l.ConnectionLifetime != 0 {
		faults = append(faults, l.ConnectionLifetime.within("connection_lifetime", time.Hour, 36500*day))
	}
	if l.AccessLifetime > l.RefreshLifetime {
		faults = append(faults, mend(fmt.Errorf("access_lifetime is longer than refresh_lifetime"), "a refresh token must outlive the access token"))
	}
	return errors.Join(faults...)
}

// checkBaseURL holds the base URL to its one spelling. The error says what to
// write.
func checkBaseURL(base string) error {
	if base == "" {
		return mend(fmt.Errorf("base_url is not set"), "set it to where the server is reached from outside: --base-url https://auth.example.com")
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		return mend(fmt.Errorf("base_url %q is not an absolute URL", base), "write it as https://auth.example.com")
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return mend(fmt.Errorf("base_url %q is plain http", base), "write https://%s; plain http is for this computer only", u.Host)
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		host += ":" + port
	}
	// An issuer may have a path (RFC 8414 §3); what could be spelled in two ways
	// has no place in it.
	if strings.ContainsFunc(u.EscapedPath(), notInBasePath) || strings.Contains(u.Path+"/", "/.") {
		return mend(fmt.Errorf("the path of base_url %q may have letters, digits, and - . _ ~ only, and no part that begins with a dot", base), "write it as https://%s/auth", host)
	}
	right := u.Scheme + "://" + host
	for part := range strings.SplitSeq(u.Path, "/") {
		if part != "" {
			right += "/" + part
		}
	}
	if base != right {
		return mend(fmt.Errorf("base_url %q is not in its one spelling, which clients compare byte for byte", base), "write %s", right)
	}
	return nil
}

// notInBasePath reports whether a character may not stand in the path of the base
// URL: only the unreserved ones (RFC 3986 §2.3) have one spelling everywhere.
func notInBasePath(r rune) bool {
	return r != '/' && !strings.ContainsRune("-._~", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// splitListen reads HOST:PORT.
func splitListen(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, mend(fmt.Errorf("listen %q is not HOST:PORT", listen), "write it as 127.0.0.1:8080")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, mend(fmt.Errorf("listen %q has no port from 0 to 65535", listen), "write it as 127.0.0.1:8080")
	}
	return host, int(n), nil
}

// isLoopback reports whether a host is this very computer.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// parseNetworks reads the networks of a setting. None of them may be everyone.
func parseNetworks(setting string, list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, mend(fmt.Errorf("%s %q is not a network", setting, text), "write it as 10.0.0.0/8, or a single address as 10.1.2.3")
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if prefix.Bits() == 0 {
			return nil, mend(fmt.Errorf("%s %q is everyone", setting, text), "name the narrowest network that is meant")
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// withOpenID adds the scopes of OpenID Connect, each with its own sentence unless
// the owner has given it another.
func withOpenID(scopes []symbolon.Scope) []symbolon.Scope {
	for _, own := range oidc.Scopes {
		if !slices.ContainsFunc(scopes, func(s symbolon.Scope) bool { return s.Name == own.Name }) {
			scopes = append(scopes, own)
		}
	}
	return scopes
}

// parseScopeTexts reads the sentences of the scopes.
func parseScopeTexts(texts map[string]string) ([]symbolon.Scope, error) {
	var scopes []symbolon.Scope
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		names, err := symbolon.ParseScopes(name)
		if err != nil || len(names) != 1 {
			return nil, mend(fmt.Errorf("scopes: %q is not the name of one scope", name), "a name has no spaces and no quotes, such as files.read")
		}
		sentence := strings.TrimSpace(texts[name])
		if sentence == "" || strings.ContainsFunc(sentence, admin.Unfit) {
			return nil, mend(fmt.Errorf("scopes: the sentence of %s is empty or has control characters", name), "say what the app may do: %s = \"see your files\"", name)
		}
		scopes = append(scopes, symbolon.Scope{Name: name, Description: sentence})
	}
	return scopes, nil
}
