package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Files of a data directory: symbolon.db (and its -wal and -shm), root.key,
// mark, lock, symbolon.toml, and sandbox.json in that of a demo.
const (
	databaseName = "symbolon.db"
	trailName    = "requests.db"
	lockName     = "lock"
)

// makeDir makes a data directory if there is none, readable by its owner only.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) { // made by another at this moment
			err = nil
		}
		if err != nil {
			return fmt.Errorf("the data directory cannot be made: %w", err)
		}
		return syncDir(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("the data directory cannot be read: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the data directory %s is not a directory", dir)
	}
	return nil
}

// needDatabase reports whether a data directory has a database, as an error
// when it has not.
func needDatabase(dir string) error {
	path := filepath.Join(dir, databaseName)
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return mend(fmt.Errorf("there is no database in %s", dir), "name the directory of the server with --data; “symbolon serve” makes a new one")
	}
	if err != nil {
		return fmt.Errorf("the database cannot be read: %w", err)
	}
	return nil
}

// running is what a server writes into the lock of its data directory.
type running struct {
	PID    int    `json:"pid"`
	Listen string `json:"listen"`
	TLS    bool   `json:"tls"`
	// Settings are those that it runs with, by name, for doctor and config. No
	// secret is among them.
	Settings map[string]any `json:"settings,omitempty"`
}

// maxRunning bounds what is read of a lock, in bytes.
const maxRunning = 1 << 20

// dirLock is the lock of a data directory, which one server at a time holds.
type dirLock struct{ f *os.File }

// errRunning means that a server runs on the data directory.
var errRunning = errors.New("a server runs on this data directory")

// lockDir takes the lock of a data directory for a server.
func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock cannot be made: %w", err)
	}
	// A command that asks whether a server runs holds the lock for a moment.
	for range 10 {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		who := readRunning(f)
		f.Close()
		at := ""
		if who.PID != 0 {
			at = fmt.Sprintf(" (process %d", who.PID)
			if who.Listen != "" {
				at += ", on " + who.Listen
			}
			at += ")"
		}
		return nil, mend(fmt.Errorf("%w, %s%s", errRunning, dir, at), "stop it first, or use another data directory: --data, in a move --from or --to")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the lock cannot be taken: %w", err)
	}
	return &dirLock{f: f}, nil
}

// tell writes who holds the lock, for doctor and for error messages.
func (l *dirLock) tell(r running) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err = l.f.WriteAt(append(text, '\n'), 0)
	return err
}

// release gives the lock back. The file stays: removing it could remove that
// of a server which starts at this moment.
func (l *dirLock) release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

// whoRuns returns the server that runs on a data directory, if any.
func whoRuns(dir string) (running, bool) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		return running{}, false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return running{}, false // closing gives it back
	}
	return readRunning(f), true
}

func readRunning(f *os.File) running {
	var r running
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxRunning))
	if err == nil {
		json.Unmarshal(text, &r) //nolint:errcheck // it may be empty: then we do not know who
	}
	return r
}
