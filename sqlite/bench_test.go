package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/symbolon/symbolon"
)

// callers is how many goroutines call the store in the benchmarks.
const callers = 64

// bench is a database with one account, one app, and connections.
type bench struct {
	*DB
	path    string
	account symbolon.AccountID
	client  symbolon.ClientID
	now     time.Time
	ids     []symbolon.ConnectionID
	seqs    []uint64
}

func newBench(b *testing.B, connections int) *bench {
	b.Helper()
	path := filepath.Join(b.TempDir(), "symbolon.db")
	w := &bench{DB: open(b, path), path: path, account: symbolon.NewAccountID(), client: symbolon.NewClientID(), now: time.Now()}
	for _, err := range []error{
		w.PutAccount(b.Context(), symbolon.Account{ID: w.account, Username: "jane", CreatedAt: w.now}),
		w.PutApp(b.Context(), symbolon.App{ID: w.client, Rotation: symbolon.RotateAlways, CreatedAt: w.now}),
		w.Allow(b.Context(), symbolon.Consent{Account: w.account, Client: w.client, Scope: symbolon.Scopes{"connect"}, GrantedAt: w.now}),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	w.ids, w.seqs = make([]symbolon.ConnectionID, connections), make([]uint64, connections)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(connections); i = next.Add(1) - 1 {
				c := w.code(w.now.Add(time.Duration(i) * time.Millisecond / 10))
				w.ids[i] = c.Connection.ID
				if got, err := w.Connect(b.Context(), c); err != nil || got != symbolon.Connected {
					b.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	return w
}

func (w *bench) code(now time.Time) symbolon.Connect {
	return symbolon.Connect{
		Connection: symbolon.Connection{
			ID: symbolon.NewConnectionID(now), Account: w.account, Client: w.client,
			Scope: symbolon.Scopes{"connect"}, CreatedAt: now, ExpiresAt: now.Add(90 * 24 * time.Hour),
		},
		CodeIssuedAt: now, Now: now,
	}
}

// run has callers goroutines do b.N things between them and reports the rate,
// the processor time for each, and by how much the file grew.
func (w *bench) run(b *testing.B, do func(caller, i int) error) {
	b.Helper()
	size := fileSize(b, w.path)
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
	b.ReportMetric(float64(fileSize(b, w.path)-size)/1e6, "grown-MB")
	b.ReportMetric(float64(fileSize(b, w.path+"-wal"))/1e6, "wal-MB")
}

func (w *bench) refresh(b *testing.B, i int) error {
	now := time.Now()
	got, err := w.Refresh(b.Context(), symbolon.Refresh{
		ID: w.ids[i], Seq: w.seqs[i], Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: now.Add(90 * 24 * time.Hour), Now: now,
	})
	if err == nil && got.Result != symbolon.Rotated {
		return fmt.Errorf("got %+v", got)
	}
	w.seqs[i] = got.Seq
	return err
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
			w := newBench(b, n+callers)
			w.run(b, func(caller, _ int) error { return w.refresh(b, n+caller) })
		})
	}
}

// BenchmarkRefreshSpread refreshes connections all over the table.
func BenchmarkRefreshSpread(b *testing.B) {
	for _, n := range sizes() {
		n = max(n, 100_000)
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := newBench(b, n)
			w.run(b, func(_, i int) error { return w.refresh(b, i*7919%n) })
		})
	}
}

// BenchmarkConnect has each caller redeem one code after another.
func BenchmarkConnect(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint("connections=", n), func(b *testing.B) {
			w := newBench(b, n)
			w.run(b, func(int, int) error {
				got, err := w.Connect(b.Context(), w.code(time.Now()))
				if err == nil && got != symbolon.Connected {
					return fmt.Errorf("got %v", got)
				}
				return err
			})
		})
	}
}
