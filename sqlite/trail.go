package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	sqlite "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/symbolon/symbolon"
)

// Trail is a symbolon.Trail in a file of its own, which nothing else is in: what is
// written there makes no change of the database wait, and the file may be removed at any
// time. It is written without waiting for the disk. One that is damaged, or of another
// version, is thrown away: docs/decisions/0035-the-log-that-explains.md.
type Trail struct {
	path string

	mu       sync.Mutex // guards what is below
	db       *sql.DB    // nil until it is needed, and after a failure
	unlooked int        // bytes that were written since it was last looked whether there are too many
}

var _ symbolon.Trail = (*Trail)(nil)

// trailVersion is that of the tables. A file of another one is begun anew.
const trailVersion = 1

const trailSchema = `
CREATE TABLE trail (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	request_id TEXT NOT NULL,
	client     TEXT NOT NULL,
	bucket     INTEGER NOT NULL,
	line       TEXT NOT NULL, -- symbolon.TrailEntry.Line; empty for those that failed
	at         INTEGER NOT NULL,
	size       INTEGER NOT NULL,
	entry      BLOB NOT NULL
) STRICT;
CREATE INDEX trail_app ON trail (client, bucket, line, id);
CREATE INDEX trail_request ON trail (request_id);
CREATE INDEX trail_size ON trail (bucket, id, size);
CREATE INDEX trail_at ON trail (at);
PRAGMA user_version = 1;`

const opTrail = "sqlite: trail"

// OpenTrail returns the trail in a file, which is made when it is first written to.
func OpenTrail(path string) *Trail {
	return &Trail{path: path, unlooked: symbolon.TrailCheckEvery}
}

// Close lets go of the file.
func (t *Trail) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop()
}

func (t *Trail) drop() error {
	if t.db == nil {
		return nil
	}
	err := t.db.Close()
	t.db = nil
	return err
}

// opened returns the open file, which is made when write is set. It is nil when there
// is none.
func (t *Trail) opened(ctx context.Context, write bool) (*sql.DB, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := os.Stat(t.path)
	gone := errors.Is(err, os.ErrNotExist)
	if gone {
		// Someone has removed it; what is written to the old one nobody could read.
		if err := t.drop(); err != nil || !write {
			return nil, err
		}
		f, err := os.OpenFile(t.path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	if t.db == nil {
		settleProcess()
		query := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {
			"busy_timeout(2000)", "journal_mode(WAL)", "synchronous(OFF)", "cache_size(-512)", "journal_size_limit(4194304)", "temp_store(MEMORY)", "trusted_schema(0)",
		}}
		absolute, err := filepath.Abs(t.path)
		if err != nil {
			return nil, err
		}
		dsn := url.URL{Scheme: "file", Path: absolute, RawQuery: query.Encode()}
		connector, err := sqlite.NewConnector(dsn.String())
		if err != nil {
			return nil, err
		}
		t.db = sql.OpenDB(connector)
		t.db.SetMaxOpenConns(2)
		t.db.SetMaxIdleConns(1)
	}
	var version int
	if err := t.db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return nil, err
	}
	switch {
	case version == trailVersion:
		return t.db, nil
	case !write:
		return nil, nil
	case version == 0:
		_, err := t.db.ExecContext(ctx, trailSchema)
		return t.db, err
	}
	return nil, errDamaged
}

// anew throws a file away that is of no use.
func (t *Trail) anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.drop()
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(t.path + end)
	}
}

// Record implements symbolon.Trail.
func (t *Trail) Record(ctx context.Context, entries []symbolon.TrailEntry, keep int) error {
	err := t.record(ctx, entries, keep)
	if trailBroken(err) {
		t.anew()
		err = t.record(ctx, entries, keep)
	}
	if err != nil {
		return symbolon.Wrap(symbolon.Busy, opTrail, err)
	}
	return nil
}

// trailBroken reports whether an error says that the file is damaged or of another
// version.
func trailBroken(err error) bool {
	switch resultCode(err) {
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return true
	}
	return errors.Is(err, errDamaged)
}

// trailKey is whose entries are counted together.
type trailKey struct {
	client symbolon.ClientID
	bucket symbolon.TrailBucket
	line   string
	keep   int
}

func (t *Trail) record(ctx context.Context, entries []symbolon.TrailEntry, keep int) (err error) {
	db, err := t.opened(ctx, true)
	if err != nil || len(entries) == 0 {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	insert, err := tx.PrepareContext(ctx, `INSERT INTO trail (request_id, client, bucket, line, at, size, entry) VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	touched, written, latest := make(map[trailKey]bool), 0, int64(0)
	for i := range entries {
		e := &entries[i]
		text, err := e.Encode()
		if err != nil {
			continue
		}
		line, kept := e.Line(keep)
		key := trailKey{e.Client, e.Bucket, line, kept}
		if e.Bucket == symbolon.NamedNoApp {
			key.client = ""
		}
		if _, err := insert.ExecContext(ctx, e.RequestID, string(key.client), int64(key.bucket), key.line, millis(e.At), int64(len(text)), text); err != nil {
			return err
		}
		touched[key] = true
		written += len(text)
		latest = max(latest, millis(e.At))
	}
	for key := range touched {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM trail WHERE client = ?1 AND bucket = ?2 AND line = ?3 AND id <= (
				SELECT id FROM trail WHERE client = ?1 AND bucket = ?2 AND line = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4)`,
			string(key.client), int64(key.bucket), key.line, key.keep)
		if err != nil {
			return err
		}
	}
	t.mu.Lock()
	t.unlooked += written
	look := t.unlooked >= symbolon.TrailCheckEvery
	if look {
		t.unlooked = 0
	}
	t.mu.Unlock()
	if look {
		if err := trimTrail(ctx, tx, latest-symbolon.TrailLife.Milliseconds()); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// trimTrail removes what is too old, and the oldest of what is too much.
func trimTrail(ctx context.Context, tx *sql.Tx, since int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM trail WHERE at < ?`, since); err != nil {
		return err
	}
	for bucket, room := range symbolon.TrailBytes {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM trail WHERE bucket = ?1 AND id <= (
				SELECT max(id) FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS total FROM trail WHERE bucket = ?1) WHERE total > ?2)`,
			bucket, room)
		if err != nil {
			return err
		}
	}
	return nil
}

// Trail implements symbolon.Trail. A file that is damaged has nothing in it.
func (t *Trail) Trail(ctx context.Context, q symbolon.TrailQuery) ([]symbolon.TrailEntry, error) {
	if err := q.Check(opTrail); err != nil {
		return nil, err
	}
	db, err := t.opened(ctx, false)
	if err == nil && db == nil || trailBroken(err) {
		return nil, nil
	}
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Busy, opTrail, err)
	}
	query, args := `SELECT id, bucket, entry FROM trail WHERE client = ?`, []any{string(q.Client)}
	if q.RequestID != "" {
		query, args = `SELECT id, bucket, entry FROM trail WHERE request_id = ?`, []any{q.RequestID}
	}
	if q.Failed {
		query += ` AND line = ''`
	}
	if q.After > 0 {
		query, args = query+` AND id > ?`, append(args, q.After)
	}
	if q.Before > 0 {
		query, args = query+` AND id < ?`, append(args, q.Before)
	}
	rows, err := db.QueryContext(ctx, query+` ORDER BY id DESC LIMIT `+strconv.Itoa(q.Limit), args...)
	list, err := collect(rows, err, func(rows *sql.Rows) (symbolon.TrailEntry, error) {
		var id, bucket int64
		var text []byte
		if err := rows.Scan(&id, &bucket, &text); err != nil {
			return symbolon.TrailEntry{}, err
		}
		e, err := symbolon.DecodeTrailEntry(text)
		e.ID, e.Bucket = id, symbolon.TrailBucket(bucket)
		return e, err
	})
	if trailBroken(err) {
		return nil, nil
	}
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Busy, opTrail, err)
	}
	return list, nil
}
