package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/symbolon/symbolon"
)

// The gathered statements find each row by its key, whatever the tables held when
// the plan was made, nothing yet for instance. Only a table that was found to have
// a row or two is read whole, until it is found to have more.
func TestPlansGoByTheKeys(t *testing.T) {
	for what, connections := range map[string]int{"empty": 0, "filled": 1000, "loaded": 1} {
		t.Run(what, func(t *testing.T) {
			w := seed(t, connections, Options{})
			ctx, now := t.Context(), time.Now()
			if what == "loaded" { // all at once, and not analysed
				err := theCluster(t).Exec(w.name, `
					INSERT INTO connection (id, account_no, app_no, seq, created_at, refreshed_at, expires_at, scope)
					SELECT gen_random_uuid(), account_no, app_no, seq, created_at, refreshed_at, expires_at, scope
					FROM connection, generate_series(1, 20000)`)
				if err != nil {
					t.Fatal(err)
				}
				w.hot.Reset()
			}
			if what == "filled" {
				for i := range 60 {
					name := fmt.Sprint(i)
					if err := w.PutApp(ctx, symbolon.App{ID: symbolon.ClientID(name), CreatedAt: now}); err != nil {
						t.Fatal(err)
					}
					if err := w.PutAccount(ctx, symbolon.Account{ID: symbolon.AccountID(name), Username: name, CreatedAt: now}); err != nil {
						t.Fatal(err)
					}
				}
				if err := theCluster(t).Exec(w.name, "ANALYZE"); err != nil {
					t.Fatal(err)
				}
				w.hot.Reset()
			}
			// Everything that is gathered, so that it is prepared.
			c := w.code(now)
			if err := w.redeem(c); err != nil {
				t.Fatal(err)
			}
			for _, rotation := range []symbolon.Rotation{symbolon.RotateAlways, symbolon.RotateNever} {
				for range 3 { // rotated; repeated; replayed
					r := symbolon.Refresh{ID: c.Connection.ID, Rotation: rotation, ExpiresAt: now.Add(time.Hour), Now: now}
					if _, err := w.Refresh(ctx, r); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := w.End(ctx, symbolon.End{Connection: c.Connection.ID, Now: now}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, _, err := w.Once(ctx, symbolon.Once{Now: now, ExpiresAt: now.Add(time.Minute)}); err != nil {
					t.Fatal(err)
				}
			}
			seen := make(map[string]bool)
			for _, c := range w.hot.AcquireAllIdle(ctx) {
				for statement, plan := range plans(t, c) {
					seen[statement] = true
					byKeys(t, statement, plan)
				}
				c.Release()
			}
			if len(seen) < 9 {
				t.Errorf("only %d statements were seen", len(seen))
			}
		})
	}
}

// plans returns the plans of the statements that a connection has prepared.
func plans(t *testing.T, c *pgxpool.Conn) map[string][]string {
	t.Helper()
	rows, err := c.Query(t.Context(), `
		SELECT name || coalesce('(' || nullif(left(repeat('NULL,', cardinality(parameter_types)), -1), '') || ')', ''), statement
		FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared_statements%'`, pgx.QueryExecModeSimpleProtocol)
	prepared, err := collect(rows, err, pgx.RowToStructByPos[struct{ Call, Statement string }])
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, p := range prepared {
		rows, err := c.Query(t.Context(), `EXPLAIN EXECUTE `+p.Call, pgx.QueryExecModeSimpleProtocol)
		if all[p.Statement], err = collect(rows, err, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// byKeys fails the test when a plan reads a table in any other way.
func byKeys(t *testing.T, statement string, plan []string) {
	t.Helper()
	for i, line := range plan {
		var good bool
		switch {
		case strings.Contains(line, "Seq Scan on feed"): // which has one row
			good = true
		case strings.Contains(line, "Index Scan"), strings.Contains(line, "Index Only Scan"):
			good = i+1 < len(plan) && strings.Contains(plan[i+1], "Index Cond:")
		case strings.Contains(line, "Seq Scan"), strings.Contains(line, "Hash"), strings.Contains(line, "Merge"):
		default:
			continue
		}
		if !good {
			t.Errorf("this reads more than the rows that it names:\n%s\n%s", statement, strings.Join(plan, "\n"))
			return
		}
	}
}
