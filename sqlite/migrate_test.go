package sqlite

import (
	"database/sql"
	"encoding/hex"
	"io/fs"
	"os"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/symbolon/symbolon"
)

// databaseOf makes a database as the program did whose last migration had this
// number, with what is in the statements.
func databaseOf(t *testing.T, version int64, statements ...string) string {
	t.Helper()
	path := databasePath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := foreign(t, path, `PRAGMA journal_mode = WAL`)
	// The files that it had, since it knew of no others.
	then := fstest.MapFS{}
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil || int64(len(names)) < version {
		t.Fatalf("migrations %v, %v", names, err)
	}
	for _, name := range names[:version] {
		text, err := schema.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		then[name[len("schema/"):]] = &fstest.MapFile{Data: text}
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, then, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err == nil {
		_, err = p.Up(t.Context())
	}
	for _, statement := range statements {
		if err == nil {
			_, err = db.Exec(statement)
		}
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestADatabaseOfSchema1IsUpgradedAndNothingIsLost(t *testing.T) {
	const (
		secretHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
		account    = symbolon.AccountID("d1b03e513fbc5881651d6c149fd259506f975ae1")
	)
	born := time.UnixMilli(1_800_000_000_000).UTC()
	id := symbolon.NewConnectionID(born)
	path := databaseOf(t, 1,
		`UPDATE mark SET sandbox = 0, commits = 7`,
		`INSERT INTO account (no, id, username, name, password, sandbox, created_at, not_before, version)
		 VALUES (3, 'd1b03e513fbc5881651d6c149fd259506f975ae1', 'jane', 'Jane Doe', '$argon2id$', 0, 1799999999000, 0, 4)`,
		`INSERT INTO app (no, id, name, home, public, secrets, redirect_uris, scope, rotation, require_pkce, sandbox, created_at, not_before, version)
		 VALUES (5, 'sym_app_old', 'Make', 'https://app.test', 0, '[{"id":"9f86d081","hash":"`+secretHash+`","created_at":1799999999000}]',
		         '["https://app.test/cb"]', 'connect home', 'never', 1, 0, 1799999999000, 1799999998000, 2)`,
		`INSERT INTO consent (account_no, client, scope, granted_at) VALUES (3, 'sym_app_old', 'connect', 1799999999500)`,
		`INSERT INTO session (browser, account_no, auth_at, expires_at) VALUES (zeroblob(32), 3, 1799999999000, 1800000900000)`,
		`INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at)
		 VALUES (x'`+hex.EncodeToString(id[:])+`', 3, 5, 'connect', 4294967303, 1800000000000, 1800000100000, 1807776000000)`,
		`INSERT INTO change (kind, client, at) VALUES (5, 'sym_app_old', 1799999999000)`,
		`INSERT INTO sealing_key (id, wrapped, active_from, retired_at) VALUES (305419896, x'010203', 1799999999000, NULL), (1, x'04', 1799999990000, 1799999999000)`,
	)
	db := open(t, path, Options{})
	ctx := t.Context()
	hash, _ := hex.DecodeString(secretHash)
	wantApp := symbolon.App{
		ID: "sym_app_old", Name: "Make", Home: "https://app.test", RedirectURIs: []string{"https://app.test/cb"},
		Secrets: []symbolon.Secret{{ID: "9f86d081", Hash: [32]byte(hash), CreatedAt: born.Add(-time.Second)}},
		Scope:   symbolon.Scopes{"connect", "home"}, Rotation: symbolon.RotateNever, RequirePKCE: true,
		CreatedAt: born.Add(-time.Second), NotBefore: born.Add(-2 * time.Second), Version: 2,
	}
	apps, err := db.Apps(ctx, symbolon.AppQuery{Limit: 9})
	same(t, apps, err, []symbolon.App{wantApp})
	accounts, err := db.Accounts(ctx, symbolon.AccountQuery{Limit: 9})
	same(t, accounts, err, []symbolon.Account{{
		ID: account, Username: "jane", Name: "Jane Doe", Password: "$argon2id$", CreatedAt: born.Add(-time.Second), Version: 4,
	}})
	keys, err := db.Keys(ctx, nil, false)
	same(t, keys, err, []symbolon.Key{
		{ID: 1, Wrapped: []byte{4}, ActiveFrom: born.Add(-10 * time.Second), RetiredAt: born.Add(-time.Second)},
		{ID: 305419896, Wrapped: []byte{1, 2, 3}, ActiveFrom: born.Add(-time.Second)},
	})
	consent, err := db.Consent(ctx, account, "sym_app_old")
	same(t, consent, err, symbolon.Consent{Account: account, Client: "sym_app_old", Scope: symbolon.Scopes{"connect"}, GrantedAt: born.Add(-500 * time.Millisecond)})
	sessions, err := db.Sessions(ctx, [32]byte{}, born)
	same(t, len(sessions), err, 1)
	changes, cursor, err := db.Changes(ctx, 0, 9)
	same(t, changes, err, []symbolon.Change{{Kind: symbolon.AppChanged, Client: "sym_app_old", At: born.Add(-time.Second)}})
	same(t, cursor, nil, symbolon.Cursor(1))
	mark, err := db.Mark(ctx)
	same(t, mark.Commits, err, uint64(7))
	rows, err := db.Connections(ctx, symbolon.ConnectionQuery{Limit: 9})
	same(t, rows, err, []symbolon.Connection{{
		ID: id, Account: account, Client: "sym_app_old", Scope: symbolon.Scopes{"connect"}, Seq: 7,
		CreatedAt: born, RefreshedAt: born.Add(100 * time.Second), ExpiresAt: born.Add(90 * 24 * time.Hour),
	}})

	// What was there goes on, and what is new works.
	now := born.Add(time.Hour)
	got, err := db.Refresh(ctx, symbolon.Refresh{ID: id, Seq: 7, Rotation: symbolon.RotateAlways, Grace: -1, ExpiresAt: now.Add(day), Now: now})
	same(t, got, err, symbolon.RefreshOutcome{Result: symbolon.Rotated, Seq: 8, At: now, ExpiresAt: now.Add(day)})
	wantApp.Settings.RequirePAR = true
	same(t, 0, db.PutApp(ctx, wantApp), 0)
	wantApp.Version++
	apps, err = db.Apps(ctx, symbolon.AppQuery{Limit: 9})
	same(t, apps, err, []symbolon.App{wantApp})
	signs := symbolon.Key{ID: 9, Algorithm: "ES256", Wrapped: []byte{5}, ActiveFrom: now}
	if _, err := db.Keys(ctx, []symbolon.Key{{ID: 8, Wrapped: []byte{6}, ActiveFrom: now}}, true); symbolon.KindOf(err) != symbolon.Conflict {
		t.Errorf("the keys from before do not count: %v", err)
	}
	all, err := db.Keys(ctx, []symbolon.Key{signs}, true)
	same(t, all, err, append(keys, signs))
	_, first, err := db.Once(ctx, symbolon.Once{Key: [32]byte{1}, ExpiresAt: now.Add(time.Minute), Now: now})
	same(t, first, err, true)
	same(t, 0, db.PutScope(ctx, symbolon.Scope{}, symbolon.Scope{Name: "home", Description: "Control your home"}), 0)
	scopes, err := db.Scopes(ctx)
	same(t, scopes, err, []symbolon.Scope{{Name: "home", Description: "Control your home"}})
}

// TestAMigrationLeavesWhatAFreshDatabaseHas compares the two schemas, since
// nobody tests the one that was migrated as much as the one that is new.
func TestAMigrationLeavesWhatAFreshDatabaseHas(t *testing.T) {
	read := func(path string) (list []string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query(`SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1`)
		for err == nil && rows.Next() {
			var text string
			err = rows.Scan(&text)
			list = append(list, text)
		}
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	migrated := databaseOf(t, 1, `UPDATE mark SET sandbox = 0`)
	open(t, migrated, Options{})
	fresh := freshDatabase(t)
	open(t, fresh, Options{})
	same(t, read(migrated), nil, read(fresh))
}

func same(t *testing.T, got any, err error, want any) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheHuskOfAnAppKeepsNothingOfIt(t *testing.T) {
	w := seed(t, 1)
	app := symbolon.App{ID: w.client, Name: "Make", Home: "https://app.test", RedirectURIs: []string{"https://app.test/cb"}, Version: 1}
	app.Settings.Keys = `{"keys":[]}`
	if err := w.PutApp(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if _, err := w.End(t.Context(), symbolon.End{Client: w.client, Delete: true, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	var kept string
	err := w.read(t.Context(), "test", func(f *file) error {
		return f.reads.QueryRowContext(t.Context(), `SELECT name || home || secrets || redirect_uris || scope || settings FROM app`).Scan(&kept)
	})
	same(t, kept, err, "[][]{}")
}
