package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/symbolon/symbolon/outbox"
)

type deliveryMetrics struct {
	total map[outbox.Outcome]prometheus.Counter
}

func (m *Metrics) newDeliveries() {
	total := m.counters("deliveries_total", "Attempts to tell apps what they asked to be told (that a session has ended), by what came of each: delivered, retried (it is tried again), refused (the app answered 400), given_up (after a day), moot (the app is gone or wants to know no more).", "outcome")
	m.delivery.total = make(map[outbox.Outcome]prometheus.Counter)
	for _, o := range outbox.Outcomes() {
		m.delivery.total[o] = total.WithLabelValues(o.String())
	}
}

// Delivered counts an attempt to tell an app something, by what came of it.
func (m *Metrics) Delivered(o outbox.Outcome) { m.delivery.total[o].Inc() }
