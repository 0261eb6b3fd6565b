package postgres

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// callers is how many goroutines call the store in the benchmarks.
const callers = 256

// run has callers goroutines do b.N things between them and reports the rate.
func (w *seeded) run(b *testing.B, do func(caller, i int) error) {
	b.Helper()
	if err := theCluster(b).Exec(w.name, "VACUUM ANALYZE", "CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	client, server := cpu(b)
	b.ReportAllocs()
	b.ResetTimer()
	for caller := range callers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := do(caller, int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	clientAfter, serverAfter := cpu(b)
	b.ReportMetric(float64(clientAfter-client)/float64(b.N), "client-cpu-ns/op")
	b.ReportMetric(float64(serverAfter-server)/float64(b.N), "server-cpu-ns/op")
}

// cpu returns the processor time that this process and the cluster have used.
func cpu(b *testing.B) (client, server time.Duration) {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	server, err := theCluster(b).CPU()
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), server
}

// sizes are the numbers of connections that the benchmarks run with. The large
// one takes minutes to fill: SYMBOLON_BENCH_LARGE=1.
func sizes() []int {
	if os.Getenv("SYMBOLON_BENCH_LARGE") == "" {
		return []int{10_000}
	}
	return []int{10_000, 1_000_000}
}

// BenchmarkRefresh refreshes connections all over the table, each by one caller
// at a time.
func BenchmarkRefresh(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := seed(b, n, Options{})
			each := n / callers
			turns := make([]int, callers)
			w.run(b, func(caller, _ int) error {
				turns[caller]++
				return w.rotate(caller*each + turns[caller]*7919%each)
			})
		})
	}
}

// BenchmarkConnect has each caller redeem one code after another.
func BenchmarkConnect(b *testing.B) {
	w := seed(b, 0, Options{})
	w.run(b, func(int, int) error { return w.redeem(w.code(time.Now())) })
	var bytes float64
	err := w.write(b.Context(), "bench", func(tx *transaction) error {
		return tx.row(`SELECT pg_total_relation_size('connection')::float8 / count(*) FROM connection`, nil, &bytes)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(bytes, "bytes/connection")
}

// BenchmarkRefreshBatch makes batches of one size, one after the other, and tells
// what each refresh costs then.
func BenchmarkRefreshBatch(b *testing.B) {
	const connections = 10_000
	w := seed(b, connections, Options{})
	for _, size := range []int{1, 8, 32, 64} {
		b.Run(fmt.Sprint("size=", size), func(b *testing.B) {
			run := runner(w.DB, opRefresh, w.refreshAll)
			client, server := cpu(b)
			b.ResetTimer()
			n := 0
			for n < b.N {
				batch := make([]*refreshRequest, size)
				at := make([]int, size)
				for i := range batch {
					at[i] = (n + i) * 7919 % connections
					batch[i] = &refreshRequest{ask: w.token(at[i], w.seqs[at[i]]), since: time.Now()}
				}
				run(batch)
				for i, r := range batch {
					if r.err != nil || r.out.Result != symbolon.Rotated {
						b.Fatalf("%+v, %v", r.out, r.err)
					}
					w.seqs[at[i]] = r.out.Seq
				}
				n += size
			}
			b.StopTimer()
			clientAfter, serverAfter := cpu(b)
			b.ReportMetric(float64(clientAfter-client)/float64(n), "client-cpu-ns/op")
			b.ReportMetric(float64(serverAfter-server)/float64(n), "server-cpu-ns/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}
