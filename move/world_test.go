package move

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/postgres"
	"github.com/symbolon/symbolon/sqlite"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a source with something of everything in it.
type world struct {
	path string
	now  time.Time
	jane symbolon.AccountID
	app  symbolon.ClientID
	live symbolon.ConnectionID // refreshed once: its current number is 1
}

// newWorld fills a database, by what a server does with one.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		path: fresh(t), now: time.Now().Truncate(time.Millisecond),
		jane: symbolon.NewAccountID(), app: symbolon.NewClientID(),
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: w.path, Create: &sqlite.Create{}})
	must(t, err)
	w.fill(t, db)
	must(t, db.Close())
	return w
}

func (w *world) fill(t testing.TB, db symbolon.Store) {
	ctx, now := t.Context(), w.now
	_, err := db.Keys(ctx, []symbolon.Key{
		{ID: 7, Wrapped: []byte{1, 0, 255}, ActiveFrom: now.Add(-time.Hour), RetiredAt: now},
		{ID: 1 << 31, Wrapped: []byte("second"), ActiveFrom: now},
		{ID: 9, Algorithm: "ES256", Wrapped: []byte("signing"), ActiveFrom: now},
	}, false)
	must(t, err)
	for _, name := range []string{"jane", "john", "gone", "éva\u0301"} {
		a := symbolon.Account{ID: symbolon.NewAccountID(), Username: name, Name: "N. " + name, Password: "$argon2id$", CreatedAt: now}
		a.Identities = []symbolon.Identity{{Issuer: "https://login.example", Subject: name, Name: name + "@example.com", AddedAt: now}}
		switch name {
		case "jane":
			a.ID, a.Operator = w.jane, true
		case "john":
			a.DisabledAt, a.NotBefore = now, now
		}
		must(t, db.PutAccount(ctx, a))
		if name == "gone" {
			_, err := db.End(ctx, symbolon.End{Account: a.ID, Delete: true, Now: now})
			must(t, err)
		}
	}
	for _, name := range []string{"connect", "Home", "home", "home#cs"} { // more than a page of three
		must(t, db.PutScope(ctx, symbolon.Scope{}, symbolon.Scope{Name: name, Description: "It is „" + name + "“", Local: map[string]string{"cs": "Je to „" + name + "“"}}))
	}
	app := symbolon.App{
		ID: w.app, Name: "Make", Home: "https://app.test", RedirectURIs: []string{"https://app.test/cb"}, Scope: symbolon.Scopes{"connect", "home"},
		Rotation: symbolon.RotateAlways, RequirePKCE: true, CreatedAt: now, Owner: w.jane,
	}
	must(t, db.PutApp(ctx, app))
	gone := symbolon.App{ID: symbolon.NewClientID(), Name: "Gone", Public: true, Rotation: symbolon.RotateNever, CreatedAt: now}
	must(t, db.PutApp(ctx, gone))
	_, err = db.End(ctx, symbolon.End{Client: gone.ID, Delete: true, Now: now})
	must(t, err)
	must(t, db.Allow(ctx, symbolon.Consent{Account: w.jane, Client: w.app, Scope: symbolon.Scopes{"connect"}, GrantedAt: now}))
	for i := range 2 {
		must(t, db.SignIn(ctx, symbolon.Session{Browser: [32]byte{byte(i), 255}, Account: w.jane, AuthAt: now, ExpiresAt: now.Add(time.Hour)}, [32]byte{}))
	}
	// A session that ended, of which an app is still to be told, and one that lives.
	for i := range 2 {
		s := symbolon.Session{ID: symbolon.NewSessionID(), Browser: [32]byte{byte(i), 7}, Account: w.jane, AuthAt: now, ExpiresAt: now.Add(time.Hour)}
		must(t, db.SignIn(ctx, s, [32]byte{}))
		c := w.connection(now.Add(time.Duration(-1-i) * time.Millisecond))
		c.Session, c.Scope = s.ID, symbolon.Scopes{"openid"}
		out, err := db.Connect(ctx, symbolon.Connect{Connection: c, CodeIssuedAt: now, Now: now})
		if must(t, err); out != symbolon.Connected {
			t.Fatalf("connect: %v", out)
		}
	}
	_, err = db.End(ctx, symbolon.End{Browser: [32]byte{0, 7}, Reason: symbolon.BySignOut, Now: now})
	must(t, err)
	for i := range 7 {
		c := w.connection(now.Add(time.Duration(i) * time.Millisecond))
		out, err := db.Connect(ctx, symbolon.Connect{Connection: c, CodeIssuedAt: now, Now: now})
		if must(t, err); out != symbolon.Connected {
			t.Fatalf("connect: %v", out)
		}
		w.live = c.ID
		if i == 3 {
			_, err := db.End(ctx, symbolon.End{Connection: c.ID, Reason: symbolon.ByOperator, Now: now.Add(time.Second)})
			must(t, err)
		}
	}
	if out := w.refresh(t, db, 0); out.Result != symbolon.Rotated {
		t.Fatalf("refresh: %v", out)
	}
	for i := range 3 {
		_, _, err := db.Once(ctx, symbolon.Once{Key: [32]byte{1, byte(i)}, Value: []byte(strings.Repeat("v", i)), ExpiresAt: now.Add(time.Hour), Now: now})
		must(t, err)
	}
}

func (w *world) connection(at time.Time) symbolon.Connection {
	return symbolon.Connection{
		ID: symbolon.NewConnectionID(at), Account: w.jane, Client: w.app, Scope: symbolon.Scopes{"connect"},
		CreatedAt: at, ExpiresAt: at.Add(90 * 24 * time.Hour),
	}
}

func (w *world) refresh(t testing.TB, db symbolon.Store, seq uint64) symbolon.RefreshOutcome {
	t.Helper()
	out, err := db.Refresh(t.Context(), symbolon.Refresh{
		ID: w.live, Seq: seq, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: w.now.Add(91 * 24 * time.Hour), Now: w.now.Add(time.Minute),
	})
	must(t, err)
	return out
}

// fresh returns the path of an empty database: a copy of one that is made once, but
// with an epoch of its own.
func fresh(t testing.TB) string {
	t.Helper()
	made.Do(func() {
		path := filepath.Join(t.TempDir(), "symbolon.db")
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Create: &sqlite.Create{}})
		must(t, err)
		must(t, db.Close())
		empty, err = os.ReadFile(path)
		must(t, err)
	})
	to := filepath.Join(t.TempDir(), "symbolon.db")
	must(t, os.WriteFile(to, empty, 0o600))
	db, err := sql.Open("sqlite", to)
	must(t, err)
	_, err = db.ExecContext(t.Context(), `UPDATE mark SET epoch = randomblob(16)`)
	must(t, errors.Join(err, db.Close()))
	return to
}

var (
	made  sync.Once
	empty []byte
)

// carrier opens a database for who carries the data.
func carrier(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Create: &sqlite.Create{}, Transfer: true})
	must(t, err)
	return db
}

// serves reports whether a server would open the database, in a file or at a URL.
func serves(t testing.TB, at string) bool {
	t.Helper()
	var db interface{ Close() error }
	var err error
	if strings.Contains(at, "://") {
		db, err = postgres.Open(t.Context(), postgres.Options{URL: at, Create: &postgres.Create{}})
	} else {
		db, err = sqlite.Open(t.Context(), sqlite.Options{Path: at, Create: &sqlite.Create{}})
	}
	if err == nil {
		must(t, db.Close())
		return true
	}
	if symbolon.KindOf(err) != symbolon.Denied {
		t.Fatal(err)
	}
	return false
}

// contents reads a database by a way of its own: every table of it but those of the
// migrations, and every column, each row a line.
func contents(t testing.TB, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	query := func(q string) [][]any {
		rows, err := db.QueryContext(context.Background(), q)
		must(t, err)
		defer rows.Close()
		columns, err := rows.Columns()
		must(t, err)
		var all [][]any
		for rows.Next() {
			row, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			must(t, rows.Scan(into...))
			all = append(all, row)
		}
		must(t, rows.Err())
		return all
	}
	var lines []string
	for _, name := range query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'goose%' AND name <> 'mark' ORDER BY name`) {
		table := name[0].(string)
		for _, row := range query(`SELECT * FROM ` + table + ` WHERE '` + table + `' <> 'sqlite_sequence' OR (SELECT name FROM sqlite_sequence LIMIT 1) IS NOT NULL ORDER BY 1, 2`) {
			if line := fmt.Sprintf("%s %q", table, row); !strings.Contains(line, "goose") {
				lines = append(lines, line)
			}
		}
	}
	for _, row := range query(`SELECT epoch, commits, sandbox FROM mark`) {
		lines = append(lines, fmt.Sprintf("mark %x", row))
	}
	return lines
}

func sprint(v any) string { return fmt.Sprintf("%+v", v) }
