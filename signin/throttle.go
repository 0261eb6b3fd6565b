package signin

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// Throttle slows attempts to sign in, so that neither one address nor
// a thousand can guess a password, and no one is locked out by a stranger: an
// account is never closed, only strangers to it are slowed, and a browser in
// which it has signed in before is no stranger (ledger B52). All is in memory
// and bounded; each node of several counts for itself.
type Throttle struct {
	clock symbolon.Clock
	// pair slows one address at one account, address one address at all
	// accounts, stranger all addresses at one account, and known the browsers
	// that hold a device cookie of one account.
	pair, address, stranger, known *Buckets
	refused                        atomic.Uint64
}

const throttleKeys = 1 << 16 // a table: at most about 4 MB each

// NewThrottle returns a Throttle that has seen no attempt.
func NewThrottle(clock symbolon.Clock) *Throttle {
	return &Throttle{
		clock:    clock,
		pair:     NewBuckets(Rate{Burst: 5, Every: 10 * time.Second}, throttleKeys),
		address:  NewBuckets(Rate{Burst: 30, Every: 2 * time.Second}, throttleKeys),
		stranger: NewBuckets(Rate{Burst: 100, Every: 30 * time.Second}, throttleKeys),
		known:    NewBuckets(Rate{Burst: 5, Every: 10 * time.Second}, throttleKeys),
	}
}

// Attempt asks leave to check a password of an account, named by its normal
// username whether or not it exists, for a caller at an address, which is an IP
// address with or without a port. Known says that the browser holds a device
// cookie from an earlier sign-in to this very account: it then has a bucket
// that strangers cannot drain, not even from the same address.
//
// 0 means go on: the attempt is counted before the password is hashed, so that
// attempts at the same moment cannot all pass. More than 0 means refused,
// nothing counted, try again after that time.
func (t *Throttle) Attempt(account, address string, known bool) (wait time.Duration) {
	wait = t.attempt(account, address, known)
	if wait > 0 {
		t.refused.Add(1)
	}
	return wait
}

// Refused returns how many attempts were refused so far.
func (t *Throttle) Refused() uint64 { return t.refused.Load() }

func (t *Throttle) attempt(account, address string, known bool) (wait time.Duration) {
	now := t.clock.Now()
	if known {
		return t.known.Take(now, account)
	}
	network := Network(address)
	if wait := t.pair.Take(now, pairKey(account, network)); wait > 0 {
		return wait
	}
	if wait := t.address.Take(now, network); wait > 0 {
		t.pair.GiveBack(now, pairKey(account, network))
		return wait
	}
	// Asked last, so that an attempt that is refused anyway does not touch
	// what all strangers to the account share.
	if wait := t.stranger.Take(now, account); wait > 0 {
		t.address.GiveBack(now, network)
		t.pair.GiveBack(now, pairKey(account, network))
		return wait
	}
	return 0
}

// Succeeded gives back what Attempt counted, for the same arguments. Call it
// when the password was right, or was never checked because the hasher was
// busy. It forgives no other attempt, so that signing in to one's own account
// buys no guesses at another.
func (t *Throttle) Succeeded(account, address string, known bool) {
	now := t.clock.Now()
	if known {
		t.known.GiveBack(now, account)
		return
	}
	network := Network(address)
	t.pair.GiveBack(now, pairKey(account, network))
	t.address.GiveBack(now, network)
	t.stranger.GiveBack(now, account)
}

func pairKey(account, network string) string { return account + "\x00" + network }

// Network returns what counts as one address: an IPv4 address, or the /64 of an
// IPv6 address, since that much is given to a single subscriber. The port and
// the zone are left out. What is no IP address is returned as it is.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		withPort, err := netip.ParseAddrPort(address)
		if err != nil {
			return address
		}
		ip = withPort.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // 64 is within an IPv6 address
	return prefix.String()
}
