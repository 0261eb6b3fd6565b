package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// What the driver reports of a database that cannot be opened is said in words that
// name what is wrong, with what to do; each is what really comes from Open.
func TestReason(t *testing.T) {
	c := theCluster(t)
	name := database(t, c, "template1")
	if err := c.Exec("postgres", "CREATE ROLE weak LOGIN"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it takes connections and says nothing
	as := func(user, database string) string {
		return strings.Replace(c.URL(database), "postgres://test@", "postgres://"+user+"@", 1)
	}
	for _, w := range []struct{ url, wrong, mend string }{
		{as("test", "nowhere"), `has no database "nowhere"`, "createdb --owner test"},
		{as("nobody", name), `does not let the user "nobody" in`, "createuser"},
		{as("weak", name), `the user "weak" may not`, `OWNER TO "weak"`},
		{"postgres://u:hidden@127.0.0.1:1/name", "nothing listens at 127.0.0.1:1", "start PostgreSQL"},
		{"postgres:///name?host=/nowhere&user=u", "no socket of PostgreSQL in /nowhere", "start PostgreSQL"},
		{"postgres://u:hidden@nowhere.invalid/name", "host nowhere.invalid cannot be found", "spelled right"},
		{"postgres://u:hidden@" + l.Addr().String() + "/name", "does not answer", "firewall"},
	} {
		_, err := Open(t.Context(), Options{URL: w.url, Create: &Create{}, Wait: time.Second})
		if err == nil {
			t.Fatalf("%s can be opened", w.url)
		}
		wrong, mend := Reason(w.url, err)
		if !strings.Contains(wrong, w.wrong) || !strings.Contains(mend, w.mend) || strings.Contains(wrong+mend, "hidden") {
			t.Errorf("of %s: %q, %q; want %q, %q; the error is %v", w.url, wrong, mend, w.wrong, w.mend, err)
		}
	}
}

// What the cluster of the tests does not answer is as PostgreSQL's manual has it.
func TestReasonOfAnAnswer(t *testing.T) {
	const url = "postgres://jane:hidden@db1:5432,db2:5433/name"
	for code, want := range map[string]string{
		"28P01": `PostgreSQL at db1:5432, db2:5433 refuses the password of the user "jane"`,
		"53300": "no connection left",
		"57P03": "is not ready",
		"XX000": "",
	} {
		// One of several hosts may be down, too.
		err := errors.Join(context.DeadlineExceeded, &pgconn.PgError{Code: code})
		wrong, mend := Reason(url, err)
		if !strings.Contains(wrong, want) || (wrong == "") != (want == "") || (mend == "") != (want == "") || strings.Contains(wrong+mend, "hidden") {
			t.Errorf("%s: %q, %q", code, wrong, mend)
		}
	}
	if wrong, _ := Reason(url, nil); wrong != "" {
		t.Error(wrong)
	}
}
