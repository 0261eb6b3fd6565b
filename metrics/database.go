package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/symbolon/symbolon/gather"
)

// Database is how the database behind the store does, read when it is asked for.
type Database struct {
	// Away is set while it cannot be reached, or not be written.
	Away bool
	// Gatherers are what gathers changes, and Pools the pools of connections, if
	// there are any.
	Gatherers []Gatherer
	Pools     []Pool
}

// Gatherer is what gathers changes of one sort into batches.
type Gatherer struct {
	Name string
	gather.Stats
}

// Pool is a pool of connections to the database.
type Pool struct {
	Name string
	// Acquired connections are in use, Idle ones are not, and there may be Max.
	Acquired, Idle, Max int
	// Waits counts who found no idle connection, Waited is how long they waited in all.
	Waits  uint64
	Waited time.Duration
}

// WatchDatabase has read asked at each scrape. It is called once; read may say
// that there is nothing yet, and must not wait for the database.
func (m *Metrics) WatchDatabase(read func() (Database, bool)) {
	away := m.desc("store_away", "gauge", "1 while the database cannot be reached or not be written, which is answered 503, and 0 while it can.")
	size := m.desc("gather_batch_size", "histogram", "Changes in one batch: what shares one commit.", "gatherer")
	waiting := m.desc("gather_queue_length", "gauge", "Changes that wait for the next batch now.", "gatherer")
	depth := m.desc("gather_queue_limit", "gauge", "How many changes may wait; more are refused.", "gatherer")
	full := m.desc("gather_refused_total", "counter", "Changes that were refused since too many waited, which is answered 503.", "gatherer")
	acquired := m.desc("pool_acquired_connections", "gauge", "Connections to PostgreSQL that are in use.", "pool")
	idle := m.desc("pool_idle_connections", "gauge", "Connections to PostgreSQL that are open and not in use.", "pool")
	limit := m.desc("pool_max_connections", "gauge", "How many connections to PostgreSQL there may be.", "pool")
	waits := m.desc("pool_waits_total", "counter", "Times that someone waited for a connection to PostgreSQL.", "pool")
	waited := m.desc("pool_wait_seconds_total", "counter", "How long was waited for connections to PostgreSQL, in all.", "pool")
	m.collect([]*prometheus.Desc{away, size, waiting, depth, full, acquired, idle, limit, waits, waited}, func(to chan<- prometheus.Metric) {
		db, there := read()
		send(to, away, prometheus.GaugeValue, truth(!there || db.Away))
		for _, g := range db.Gatherers {
			to <- batches(size, &g)
			send(to, waiting, prometheus.GaugeValue, float64(g.Waiting), g.Name)
			send(to, depth, prometheus.GaugeValue, float64(g.Depth), g.Name)
			send(to, full, prometheus.CounterValue, float64(g.Full), g.Name)
		}
		for _, p := range db.Pools {
			send(to, acquired, prometheus.GaugeValue, float64(p.Acquired), p.Name)
			send(to, idle, prometheus.GaugeValue, float64(p.Idle), p.Name)
			send(to, limit, prometheus.GaugeValue, float64(p.Max), p.Name)
			send(to, waits, prometheus.CounterValue, float64(p.Waits), p.Name)
			send(to, waited, prometheus.CounterValue, seconds(p.Waited), p.Name)
		}
	})
}

// batches is the histogram that a gatherer keeps itself.
func batches(d *prometheus.Desc, g *Gatherer) prometheus.Metric {
	buckets := make(map[float64]uint64, len(g.Sizes))
	var n uint64
	for i, count := range g.Sizes {
		n += count
		if i < len(g.Sizes)-1 {
			buckets[float64(gather.Limit(i))] = n
		}
	}
	return prometheus.MustNewConstHistogram(d, n, float64(g.Changes), buckets, g.Name)
}

// WatchRollbacks has warnings asked at each scrape. It is called once.
func (m *Metrics) WatchRollbacks(warnings func() uint64) {
	m.counterOf("rollback_warnings_total", "Warnings that the database turned out to be an older copy or another one, or the machine's clock to be set back. The log has them, and says what to do.", warnings)
}

// WatchDisk has read asked at each scrape for the bytes that are free where the
// data directory is, and those of the files in it; ok is false when that is not
// known.
func (m *Metrics) WatchDisk(read func() (free, used uint64, ok bool)) {
	free := m.desc("data_free_bytes", "gauge", "Bytes that are free on the disk of the data directory.")
	used := m.desc("data_used_bytes", "gauge", "Bytes of the files in the data directory.")
	m.collect([]*prometheus.Desc{free, used}, func(to chan<- prometheus.Metric) {
		if f, u, ok := read(); ok {
			send(to, free, prometheus.GaugeValue, float64(f))
			send(to, used, prometheus.GaugeValue, float64(u))
		}
	})
}
