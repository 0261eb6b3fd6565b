package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// address returns the caller's IP address. X-Forwarded-For is believed only as
// far as it was written by trusted proxies: read from its end, the first
// address that is none of theirs is the caller's.
func (h *Handler) address(r *http.Request) string {
	host := r.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	if len(h.TrustedProxies) == 0 {
		return host
	}
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !h.trusts(addr.Addr()) {
		return host
	}
	caller := addr.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		text := strings.TrimSpace(hops[i])
		hop, err := netip.ParseAddr(text)
		if err != nil { // some gateways write the port too
			withPort, perr := netip.ParseAddrPort(text)
			if perr != nil {
				break
			}
			hop = withPort.Addr()
		}
		caller = hop.Unmap()
		if !h.trusts(caller) {
			break
		}
	}
	return caller.WithZone("").String()
}

func (h *Handler) trusts(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, prefix := range h.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
