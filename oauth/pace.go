package oauth

import (
	"net/netip"
	"sync"
	"time"
)

// pace bounds how often something that costs little, but not nothing, may be
// done in a minute: from one address, and in all.
type pace struct {
	perAddress, inAll int

	mu    sync.Mutex
	until time.Time // when the minute is over
	sum   int
	count map[string]int
}

func newPace(perAddress, inAll int) *pace {
	return &pace{perAddress: perAddress, inAll: inAll, count: make(map[string]int)}
}

// add counts one and returns how long to wait when there were too many, or 0.
// There are never more addresses than inAll.
func (p *pace) add(address string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !now.Before(p.until) {
		clear(p.count)
		p.sum, p.until = 0, now.Add(time.Minute)
	}
	address = network(address)
	if p.sum >= p.inAll || p.count[address] >= p.perAddress {
		return p.until.Sub(now)
	}
	p.sum++
	p.count[address]++
	return 0
}

// network returns what one caller has of addresses: an IPv4 address, or an IPv6
// network of 64 bits.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	prefix, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
