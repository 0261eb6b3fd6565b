package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// The test program runs itself again as another process that opens a database:
// the environment says which and what to do.
const (
	childTask = "SYMBOLON_TEST_TASK"
	childPath = "SYMBOLON_TEST_PATH"
	childIDs  = "SYMBOLON_TEST_IDS" // of connections, separated by spaces
)

func TestMain(m *testing.M) {
	task := os.Getenv(childTask)
	if task == "" {
		os.Exit(m.Run())
	}
	if err := help(task); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func help(task string) error {
	db, err := Open(context.Background(), Options{Path: os.Getenv(childPath), Create: &Create{}, Wait: 30 * time.Second})
	if err != nil || task == "open" {
		return err
	}
	var ids []symbolon.ConnectionID
	for text := range strings.FieldsSeq(os.Getenv(childIDs)) {
		id, err := symbolon.ParseConnectionID(text)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if task == "cannot grow" {
		return cannotGrow(db, ids)
	}
	// Refreshes each connection over and over, and says so when it is told.
	failed := make(chan error)
	for i, id := range ids {
		go func() {
			w := &seeded{DB: db, ids: []symbolon.ConnectionID{id}, seqs: []uint64{0}}
			for {
				if err := w.rotate(0); err != nil {
					failed <- err
				}
				fmt.Printf("%d %d\n", i, w.seqs[0])
			}
		}()
	}
	return <-failed
}

// child starts the test program with a task on the database.
func child(t *testing.T, task, path string, ids []symbolon.ConnectionID) *exec.Cmd {
	t.Helper()
	var list []string
	for _, id := range ids {
		list = append(list, id.String())
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path, childIDs+"="+strings.Join(list, " "))
	cmd.Stderr = os.Stderr
	return cmd
}

func TestKilledAmidRefreshes(t *testing.T) { // C1, B40
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		w := seed(t, 64)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		told := w.killedAmid(t, time.Duration(20+rand.IntN(150))*time.Millisecond)
		w.DB = open(t, w.path, Options{})
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		total := uint64(0)
		for i, seq := range told {
			total += seq
			// The client holds the token that it was told of last.
			got, err := w.Refresh(t.Context(), w.token(i, seq))
			if err != nil || (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) || got.Seq != seq+1 {
				t.Fatalf("round %d: told of %d, got %+v, %v", round, seq, got, err)
			}
			if seq > 1 {
				got, err := w.Refresh(t.Context(), w.token(i, seq-1))
				if err != nil || got.Result != symbolon.RefreshReplayed {
					t.Fatalf("round %d: a token from before the crash: got %+v, %v", round, got, err)
				}
			}
		}
		t.Logf("round %d: killed after %d rotations", round, total)
	}
}

// killedAmid runs the child until it has told of a rotation, and for a while
// after, and kills it. It returns the last sequence number that it has told of,
// for each connection.
func (w *seeded) killedAmid(t *testing.T, after time.Duration) []uint64 {
	t.Helper()
	cmd := child(t, "refresh", w.path, w.ids)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := make([]uint64, len(w.ids))
	var once sync.Once
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var i int
		var seq uint64
		if _, err := fmt.Sscan(lines.Text(), &i, &seq); err != nil {
			continue // a line that the kill has cut
		}
		told[i] = seq
		once.Do(func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) })
	}
	_ = cmd.Wait() // it was killed
	return told
}

func TestTwoProcessesShareTheFile(t *testing.T) {
	w := seedWith(t, 16, Options{Wait: 30 * time.Second})
	cmd := child(t, "refresh", w.path, w.ids[:8])
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := 8; i < 16; i++ {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.rotate(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	told, lines := make([]uint64, 8), 0
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var i int
		var seq uint64
		if _, err := fmt.Sscan(scan.Text(), &i, &seq); err == nil {
			told[i] = seq
		}
		if lines++; lines == 400 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	close(stop)
	all.Wait()
	for i, seq := range told {
		w.seqs[i] = seq
		if err := w.again(t, i); err != nil {
			t.Fatal(err)
		}
	}
	ours := uint64(0)
	for _, seq := range w.seqs[8:] {
		ours += seq
	}
	if lines < 400 || ours < 10 {
		t.Errorf("%d rotations there and %d here: one of the two was starved", lines, ours)
	}
}

func TestTwoHandlesOneOutcome(t *testing.T) { // B2, B39, C33
	w := seedWith(t, 50, Options{Wait: 30 * time.Second})
	stores := []*DB{w.DB, open(t, w.path, Options{Wait: 30 * time.Second})}
	for i := range w.ids {
		code := w.code(time.Now())
		var mu sync.Mutex
		connected, seqs := 0, map[uint64]int{}
		var all sync.WaitGroup
		for n := range 32 {
			all.Go(func() {
				made, err := stores[n%2].Connect(t.Context(), code)
				if err != nil {
					t.Error(err)
				}
				got, err := stores[n%2].Refresh(t.Context(), w.token(i, 0))
				if err != nil || (got.Result != symbolon.Rotated && got.Result != symbolon.Repeated) {
					t.Errorf("got %+v, %v", got, err)
				}
				mu.Lock()
				defer mu.Unlock()
				seqs[got.Seq]++
				if made == symbolon.Connected {
					connected++
				}
			})
		}
		all.Wait()
		if connected != 1 || len(seqs) != 1 {
			t.Fatalf("%d connected, successors %v", connected, seqs)
		}
	}
	// What one has ended, the other's next call knows.
	if _, err := stores[0].End(t.Context(), symbolon.End{Connection: w.ids[0], Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got, err := stores[1].Refresh(t.Context(), w.token(0, 1)); err != nil || got.Result != symbolon.RefreshEnded {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestKilledAmidCreation(t *testing.T) { // C30
	rounds := 10
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		path := databasePath(t)
		cmd := child(t, "open", path, nil)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed, or had finished
		db := open(t, path, Options{})
		if err := db.PutApp(t.Context(), symbolon.App{ID: "app"}); err != nil {
			t.Fatal(err)
		}
	}
}
