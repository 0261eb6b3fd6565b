package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// keyStates are those that a key goes through.
var keyStates = [...]string{"announced", "active", "retiring", "retired"}

// Key is one key, as far as it is watched.
type Key struct {
	// Kind is sealing, or the algorithm that it signs with.
	Kind string
	// State is announced, active, retiring or retired.
	State string
	// ActiveFrom is since when it is active, or from when it will be.
	ActiveFrom time.Time
}

// Keyring is how the keys do, read when it is asked for.
type Keyring struct {
	// Keys are all there are.
	Keys []Key
	// Now is the time by which they have their states.
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
		for kind, k := range byKind(ring.Keys) {
			for _, state := range keyStates {
				send(to, count, prometheus.GaugeValue, float64(k.states[state]), kind, state)
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
	states map[string]int
	// active is since when the active key is, next when another will be.
	active, next time.Time
}

func byKind(keys []Key) map[string]*keysOfKind {
	kinds := make(map[string]*keysOfKind)
	for _, key := range keys {
		k := kinds[key.Kind]
		if k == nil {
			k = &keysOfKind{states: make(map[string]int)}
			kinds[key.Kind] = k
		}
		k.states[key.State]++
		switch {
		case key.State == "active":
			k.active = key.ActiveFrom
		case key.State == "announced" && (k.next.IsZero() || key.ActiveFrom.Before(k.next)):
			k.next = key.ActiveFrom
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
