package sqlite

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// callers is how many goroutines call the store in the benchmarks.
const callers = 64

// run has callers goroutines do b.N things between them and reports the rate,
// the processor time for each, and by how much the file grew.
func (w *seeded) run(b *testing.B, do func(caller, i int) error) {
	b.Helper()
	size, mark := fileSize(b, w.path), w.mark(b)
	unix.Sync() // what filling has left to write
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
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
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/float64(w.mark(b).Commits-mark.Commits), "op/commit")
	b.ReportMetric(float64(fileSize(b, w.path)-size)/1e6, "grown-MB")
	b.ReportMetric(float64(fileSize(b, w.path+"-wal"))/1e6, "wal-MB")
}

func (w *seeded) mark(b *testing.B) Mark {
	mark, err := w.Mark(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return mark
}

func fileSize(b *testing.B, path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return st.Size()
}

func processorTime(b *testing.B) time.Duration {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// sizes are the numbers of connections that the benchmarks run with. The large
// one takes a minute to fill: SYMBOLON_BENCH_LARGE=1.
func sizes() []int {
	if os.Getenv("SYMBOLON_BENCH_LARGE") == "" {
		return []int{0}
	}
	return []int{0, 1_000_000}
}

// BenchmarkRefresh has each caller refresh a connection of its own, the youngest
// there are.
func BenchmarkRefresh(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := seed(b, n+callers)
			w.run(b, func(caller, _ int) error { return w.rotate(n + caller) })
		})
	}
}

// BenchmarkRefreshSpread refreshes connections all over the table.
func BenchmarkRefreshSpread(b *testing.B) {
	for _, n := range sizes() {
		n = max(n, 100_000)
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := seed(b, n)
			w.run(b, func(_, i int) error { return w.rotate(i * 7919 % n) })
		})
	}
}

// BenchmarkConnect has each caller redeem one code after another.
func BenchmarkConnect(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := seed(b, n)
			w.run(b, func(int, int) error { return w.redeem(w.code(time.Now())) })
		})
	}
}
