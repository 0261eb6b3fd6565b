package fetch

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/symbolon/symbolon"
)

// special are the addresses that no document is fetched from: the registries of
// special-purpose addresses (RFC 6890 and its successors), and where clouds keep
// what is their tenants' own.
var special = prefixes(
	// IPv4.
	"0.0.0.0/8",        // this network (RFC 791 §3.2)
	"10.0.0.0/8",       // private (RFC 1918)
	"100.64.0.0/10",    // carrier-grade NAT (RFC 6598); a cloud's metadata too
	"127.0.0.0/8",      // loopback (RFC 1122 §3.2.1.3)
	"168.63.129.16/32", // a cloud's metadata at a public address
	"169.254.0.0/16",   // link-local (RFC 3927); most clouds' metadata
	"172.16.0.0/12",    // private (RFC 1918)
	"192.0.0.0/24",     // IETF protocols (RFC 6890 §2.1); a cloud's metadata too
	"192.0.2.0/24",     // documentation (RFC 5737)
	"192.31.196.0/24",  // AS112 (RFC 7535)
	"192.52.193.0/24",  // AMT (RFC 7450)
	"192.88.99.0/24",   // 6to4 relays (RFC 7526)
	"192.168.0.0/16",   // private (RFC 1918)
	"192.175.48.0/24",  // AS112 (RFC 7534)
	"198.18.0.0/15",    // benchmarks (RFC 2544)
	"198.51.100.0/24",  // documentation (RFC 5737)
	"203.0.113.0/24",   // documentation (RFC 5737)
	"224.0.0.0/4",      // multicast (RFC 5771)
	"240.0.0.0/4",      // reserved (RFC 1112 §4), and broadcast
	// IPv6, within the addresses that are global unicast.
	"2001::/23",         // IETF protocols (RFC 2928): Teredo (RFC 4380), ORCHID, benchmarks
	"2001:db8::/32",     // documentation (RFC 3849)
	"2002::/16",         // 6to4 (RFC 3056), which carries an IPv4 address
	"2620:4f:8000::/48", // AS112 (RFC 7534)
	"3fff::/20",         // documentation (RFC 9637)
)

// global are the IPv6 addresses that are global unicast (RFC 4291 §2.4, as
// assigned). All others are special: loopback, unspecified, link-local, unique
// local, multicast, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, mapped.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// public reports whether an address belongs to the public Internet. IPv4 within
// IPv6 (RFC 4291 §2.5.5) does not: no honest name has it.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// may reports whether an address may be reached by this name. This computer is
// reached only by a name that says so: another that leads here is an attack.
func (o *Options) may(host string, a netip.Addr) bool {
	if public(a) || o.Loopback && a.IsLoopback() && !a.Is4In6() && isLoopback(host) {
		return true
	}
	return a.Zone() == "" && slices.ContainsFunc(o.Allowed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// maxAddresses bounds the addresses of a name that are tried.
const maxAddresses = 4

// dial resolves the host once, looks at every address, and connects to one of
// these very addresses.
func (c *Client) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Denied, op, err)
	}
	var addresses []netip.Addr
	if literal, err := netip.ParseAddr(host); err == nil {
		addresses = []netip.Addr{literal}
	} else if addresses, err = c.options.Lookup(ctx, strings.TrimSuffix(host, ".")); err != nil {
		return nil, symbolon.Wrap(symbolon.NotFound, op, err)
	} else {
		for i, a := range addresses { // resolvers return IPv4 as ::ffff:192.0.2.1, too
			addresses[i] = a.Unmap()
		}
	}
	if len(addresses) == 0 {
		return nil, symbolon.Errorf(symbolon.NotFound, op, "the name has no address")
	}
	for _, a := range addresses {
		if !c.options.may(host, a) {
			// One is enough: who answers with a private address beside a public
			// one means to be reached at the private one.
			return nil, symbolon.Errorf(symbolon.Denied, op, "the name has an address that is not public")
		}
	}
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		// Right before the connection, in case what is above is ever changed.
		a, err := netip.ParseAddrPort(address)
		if err != nil || !c.options.may(host, a.Addr()) {
			return symbolon.Errorf(symbolon.Denied, op, "the address is not public")
		}
		return nil
	}}
	var last error
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}
