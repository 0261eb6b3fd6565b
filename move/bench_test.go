package move

import (
	"database/sql"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"
)

// large makes a source with so many connections, of 100,000 accounts to 100 apps.
func large(t testing.TB, connections int) string {
	t.Helper()
	path := fresh(t)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		`PRAGMA synchronous = OFF`,
		`BEGIN`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
		 INSERT INTO account (no, id, username, name, password, sandbox, created_at, not_before, version)
		 SELECT i, lower(hex(randomblob(20))), 'user' || i, 'User ' || i,
		        '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g', 0, 1800000000000, 0, 1 FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
		 INSERT INTO app (no, id, name, home, public, secrets, redirect_uris, scope, rotation, require_pkce, sandbox, created_at, not_before, version)
		 SELECT i, 'sym_app_' || i, 'App ' || i, 'https://app.test', 0, '[]', '["https://app.test/cb"]', 'connect', 'always', 1, 0, 1800000000000, 0, 1 FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(connections) + `)
		 INSERT INTO connection (id, account_no, app_no, scope, seq, created_at, refreshed_at, expires_at)
		 SELECT unhex(printf('%012x', 1800000000000 + i) || hex(randomblob(10))), 1 + abs(random()) % 100000, 1 + abs(random()) % 100, 'connect',
		        4294967296 + abs(random()) % 1000, 1800000000000 + i, 1800000000000 + i, 1807776000000 + i FROM n`,
		`INSERT OR IGNORE INTO consent (account_no, client, scope, granted_at)
		 SELECT account_no, 'sym_app_' || app_no, scope, created_at FROM connection`,
		`COMMIT`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	must(t, db.Close())
	return path
}

// BenchmarkMove moves 1,000,000 connections, or as many as SYMBOLON_MOVE says, with
// their consents and accounts: run it with -benchtime 1x.
func BenchmarkMove(b *testing.B) {
	connections, err := strconv.Atoi(os.Getenv("SYMBOLON_MOVE"))
	if err != nil {
		connections = 1_000_000
	}
	path := large(b, connections)
	for b.Loop() {
		b.StopTimer()
		url := database(b)
		source, target := carrier(b, path), taker(b, url)
		b.StartTimer()
		var phase Phase
		start, rows := time.Now(), int64(0)
		_, err := Run(b.Context(), source, target, "the target", func(p Progress) {
			if p.Phase != phase {
				b.Logf("%s from %v", p.Phase, time.Since(start).Round(time.Millisecond))
			}
			phase, rows = p.Phase, p.Total
		})
		must(b, err)
		b.Logf("%d rows in %v", rows, time.Since(start).Round(time.Millisecond))
		b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "rows/s")
		b.StopTimer()
		must(b, source.Stay(b.Context()))
		must(b, errors.Join(source.Close(), target.Close()))
		b.StartTimer()
	}
}
