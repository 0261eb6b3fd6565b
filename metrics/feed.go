package metrics

import "time"

// Feed is how the feed of what has ended does. Each is asked at a scrape.
type Feed struct {
	// Bound is how old it may be when a token is honoured.
	Bound time.Duration
	// Age is how long ago its last complete reading began.
	Age func() time.Duration
	// Entries is how much it remembers.
	Entries func() int
	// Polls counts the readings that were completed, and those that failed.
	Polls func() (done, failed uint64)
}

// WatchFeed makes the metrics of the feed. It is called once.
func (m *Metrics) WatchFeed(f Feed) {
	m.gaugeOf("feed_age_seconds", "How old the knowledge of what has ended is. Beyond symbolon_feed_bound_seconds no token is honoured.", func() float64 { return seconds(f.Age()) })
	m.gaugeOf("feed_bound_seconds", "How old the knowledge of what has ended may be.", func() float64 { return seconds(f.Bound) })
	m.gaugeOf("feed_entries", "What has ended and is remembered: connections, accounts, apps, and pairs of them.", func() float64 { return float64(f.Entries()) })
	m.counterOf("feed_polls_total", "Readings of what has ended that were completed.", func() uint64 { done, _ := f.Polls(); return done })
	m.counterOf("feed_poll_failures_total", "Readings of what has ended that failed.", func() uint64 { _, failed := f.Polls(); return failed })
}
