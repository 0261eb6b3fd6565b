package web

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// proof returns what shows that the caller of a request holds a key.
func (h *Handler) proof(r *http.Request, ev *event) oauth.Proof {
	p := oauth.Proof{Certificate: h.certificate(r)}
	if p.DPoP = r.Header["Dpop"]; p.DPoP != nil {
		// The URL as the metadata has it, wherever TLS ends and whatever the
		// caller says the host is.
		p.Method, p.URL = r.Method, h.issuer+ev.route
	}
	return p
}

// shown returns the access token of a request, and what proves that the caller
// may show it.
func (h *Handler) shown(r *http.Request, ev *event) (oauth.Shown, error) {
	s := oauth.Shown{Proof: h.proof(r, ev)}
	var err error
	if headers := r.Header["Authorization"]; len(headers) == 1 && len(headers[0]) > 5 && strings.EqualFold(headers[0][:5], "DPoP ") {
		if strings.Contains(r.URL.RawQuery, "access_token=") {
			return s, tokenTwice
		}
		s.DPoP, s.Token = true, strings.Trim(headers[0][5:], " ") // RFC 9449 §7.1
		return s, nil
	}
	s.Token, err = bearerToken(r)
	return s, err
}

// certificate returns the client certificate of a request (RFC 8705), or nil:
// that of the TLS connection when it ends here, or the one that a trusted proxy
// forwards. From anyone else the header says nothing.
func (h *Handler) certificate(r *http.Request) *oauth.Certificate {
	if h.ClientCertHeader != "" {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && h.trusts(peer.Addr()) {
			values := r.Header[http.CanonicalHeaderKey(h.ClientCertHeader)]
			if len(values) != 1 || values[0] == "" {
				return nil // the proxy's own certificate is not the caller's
			}
			if c := parseForwarded(values[0]); c != nil {
				return &oauth.Certificate{Certificate: c, Forwarded: true}
			}
			return nil
		}
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return &oauth.Certificate{Certificate: r.TLS.PeerCertificates[0], Chain: r.TLS.PeerCertificates[1:]}
	}
	return nil
}

// parseForwarded reads the certificate that a proxy put into a header, or returns
// nil: as RFC 9440 §2.2 writes it (:base64:), as percent-encoded PEM
// (ssl_client_escaped_cert of nginx), or as base64 of the DER alone.
func parseForwarded(text string) *x509.Certificate {
	if len(text) > 2 && text[0] == ':' && text[len(text)-1] == ':' {
		return parseBase64(text[1 : len(text)-1])
	}
	plain, err := url.PathUnescape(text)
	switch {
	case err != nil:
		return nil
	case !strings.HasPrefix(plain, "-----BEGIN"):
		return parseBase64(plain)
	}
	block, _ := pem.Decode([]byte(plain))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	return parseDER(block.Bytes)
}

func parseBase64(text string) *x509.Certificate {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil // what was decoded up to the fault is not what was sent
	}
	return parseDER(der)
}

func parseDER(der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return c
}
