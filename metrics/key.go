package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/symbolon/symbolon"
)

// sealing is the kind of the keys that seal; the others go by their algorithm.
const sealing = "sealing"

// keyStates are those of a key: announced before it is used, active, retiring
// while what it made still counts, retired.
var keyStates = [...]string{"announced", "active", "retiring", "retired"}

const (
	announced = iota
	active
	retiring
	retired
)

// Keyring is how the keys do, read when it is asked for.
type Keyring struct {
	// Keys are all there are, without what is secret in them.
	Keys []symbolon.Key
	// Now is the time by which they are active or not.
	Now time.Time
	// Stale is set while newer keys cannot be read.
	Stale bool
}

// WatchKeys has read asked at each scrape. It is called once.
func (m *Metrics) WatchKeys(read func() Keyring) {
	count := m.desc("keys", "gauge", "Keys, by what they are for (sealing, or the algorithm that they sign with) and their state: announced, active, retiring or retired.", "kind", "state")
	age := m.desc("key_age_seconds", "gauge", "How long the active key of a kind has been active.", "kind")
	next := m.desc("key_next_activation_seconds", "gauge", "How long until the next key of a kind becomes active; missing when none is announced.", "kind")
	stale := m.desc("keys_stale", "gauge", "1 while keys that were changed cannot be read, and 0 otherwise.")
	m.collect([]*prometheus.Desc{count, age, next, stale}, func(to chan<- prometheus.Metric) {
		ring := read()
		for kind, k := range byKind(ring.Keys, ring.Now) {
			for state, n := range k.states {
				send(to, count, prometheus.GaugeValue, float64(n), kind, keyStates[state])
			}
			if !k.active.IsZero() {
				send(to, age, prometheus.GaugeValue, seconds(ring.Now.Sub(k.active)), kind)
			}
			if !k.next.IsZero() {
				send(to, next, prometheus.GaugeValue, seconds(k.next.Sub(ring.Now)), kind)
			}
		}
		send(to, stale, prometheus.GaugeValue, truth(ring.Stale))
	})
}

// keysOfKind are the keys of one kind.
type keysOfKind struct {
	states [len(keyStates)]int
	// active is since when the active key is, next when another will be.
	active, next time.Time
}

// byKind looks at the keys of each kind. The last one that has become active is
// the active one; those before it are retiring.
func byKind(keys []symbolon.Key, now time.Time) map[string]*keysOfKind {
	kinds := make(map[string]*keysOfKind)
	for _, key := range keys {
		kind := key.Algorithm
		if kind == "" {
			kind = sealing
		}
		k := kinds[kind]
		if k == nil {
			k = new(keysOfKind)
			kinds[kind] = k
		}
		switch {
		case !key.RetiredAt.IsZero() && !now.Before(key.RetiredAt):
			k.states[retired]++
		case now.Before(key.ActiveFrom):
			k.states[announced]++
			if k.next.IsZero() || key.ActiveFrom.Before(k.next) {
				k.next = key.ActiveFrom
			}
		case k.active.IsZero():
			k.active, k.states[active] = key.ActiveFrom, 1
		default:
			k.states[retiring]++
			if key.ActiveFrom.After(k.active) {
				k.active = key.ActiveFrom
			}
		}
	}
	return kinds
}

// WatchCertificate has read asked at each scrape for when the certificate of this
// server's own TLS expires. It is called once, and only where TLS ends here.
func (m *Metrics) WatchCertificate(read func() time.Time) {
	m.gaugeOf("tls_certificate_expiry_timestamp_seconds", "When the certificate of this server expires, in seconds since 1970.", func() float64 {
		t := read()
		if t.IsZero() {
			return 0
		}
		return float64(t.Unix())
	})
}
