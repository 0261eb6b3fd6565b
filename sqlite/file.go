package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	sqlite "modernc.org/sqlite"
)

// file is the database file as it was opened: connections for reading, one for
// writing, and what it takes to notice that another file has taken its place
// or that someone has overwritten it.
type file struct {
	path    string
	reads   *sql.DB
	stmts   sync.Map         // of *sql.Stmt for reading, by their text
	writing driver.Connector // makes the connection of the writer
	main    inode
	log     inode    // of the write-ahead log; zero until it is known
	header  *os.File // held open as long as any connection: see close
}

type inode struct{ dev, ino uint64 }

var (
	errGone     = errors.New("the database file is not there")
	errReplaced = errors.New("another file is in the database's place")
	errGarbage  = errors.New("the file is not a database: it was overwritten or is damaged")
)

// magic begins every SQLite database.
const magic = "SQLite format 3\x00"

// readers is how many reads run at the same moment, each with a page cache of
// its own.
const readers = 4

// settleProcess makes the settings of the process, once.
var settleProcess = sync.OnceFunc(func() {
	// Both are harmless where they cannot be had. fdatasync is as durable and spares
	// the journal of the file system. OFD locks survive that someone opens and closes
	// the file.
	_, _ = sqlite.Fdatasync(true)
	_, _ = sqlite.OFDLocking(true)
})

// openFile opens the database at path, which must exist.
func openFile(path string, wait time.Duration) (*file, error) {
	settleProcess()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	header, err := os.Open(absolute)
	if err != nil {
		return nil, err
	}
	f := &file{path: absolute, header: header}
	if f.main, err = inodeOf(absolute); err != nil {
		return nil, errors.Join(err, header.Close())
	}
	reading, err := newConnector(absolute, wait, "query_only(1)", "cache_size(-1024)")
	if err != nil {
		return nil, errors.Join(err, header.Close())
	}
	f.writing, err = newConnector(absolute, wait,
		"cache_size(-8192)", "wal_autocheckpoint(1000)", "journal_size_limit(16777216)")
	if err != nil {
		return nil, errors.Join(err, header.Close())
	}
	f.reads = sql.OpenDB(reading)
	f.reads.SetMaxOpenConns(readers)
	f.reads.SetMaxIdleConns(readers)
	return f, nil
}

// newConnector prepares connections to the file, and opens none.
func newConnector(path string, wait time.Duration, pragmas ...string) (driver.Connector, error) {
	query := url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": append([]string{
			"busy_timeout(" + strconv.FormatInt(wait.Milliseconds(), 10) + ")",
			"synchronous(FULL)",
			"temp_store(MEMORY)",
			"cell_size_check(1)",
			"trusted_schema(0)",
		}, pragmas...),
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return sqlite.NewConnector(dsn.String())
}

// moved returns an error unless the file that was opened is still the one at
// its path.
func (f *file) moved() error {
	now, err := inodeOf(f.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errGone
	case err != nil:
		return err
	case now != f.main:
		return errReplaced
	}
	return nil
}

// intact returns an error unless file and log are those that were opened and
// the file still begins like a database.
func (f *file) intact() error {
	var begin [len(magic)]byte
	if n, err := f.header.ReadAt(begin[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if string(begin[:n]) != magic {
		return errGarbage
	}
	return f.inPlace()
}

// inPlace returns an error unless file and log are those that were opened. The
// log that is there when it is first asked is the one that was opened.
func (f *file) inPlace() error {
	if err := f.moved(); err != nil {
		return err
	}
	log, err := inodeOf(f.path + "-wal")
	switch {
	case errors.Is(err, os.ErrNotExist) && f.log == inode{}:
	case errors.Is(err, os.ErrNotExist):
		return errGone
	case err != nil:
		return err
	case f.log == inode{}:
		f.log = log
	case f.log != log:
		return errReplaced
	}
	return nil
}

// remains is what a file that was given up may have left in its place.
type remains struct {
	main, log   inode
	overwritten bool
}

// clear sets the log of the file that was given up aside when another file is
// in its place, such as a copy that was put back: SQLite would take the log for
// that of the copy and mix the two. It is kept, since it holds what the old
// file does not have yet.
func (r remains) clear(path string) error {
	main, err := inodeOf(path)
	if err != nil || (main == r.main && !r.overwritten) {
		return err
	}
	log, err := inodeOf(path + "-wal")
	if err != nil || log != r.log {
		return nil // there is no log, or it is not ours
	}
	return os.Rename(path+"-wal", path+"-wal.stale")
}

func inodeOf(path string) (inode, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return inode{}, err
	}
	return inode{dev: uint64(st.Dev), ino: st.Ino}, nil
}

// close closes the connections that read. The writer has closed its own before.
// The last connection of all processes writes the log back and removes it,
// unless the file was moved.
func (f *file) close() error {
	// The header last, since closing any descriptor of a file drops the
	// process's locks on it where OFD locks cannot be had.
	return errors.Join(f.reads.Close(), f.header.Close())
}
