package main

import (
	"strings"
	"testing"
	"time"
)

func TestPublicURLHasNoPassword(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"postgres://u:geheim@db.example:5432/name", "postgres://u@db.example:5432/name"},
		{"postgres://u@db.example/name", "postgres://u@db.example/name"},
		{"postgres://u:geheim@a:1,b:2/name?target_session_attrs=read-write", masked},
		{"postgresql://db.example/name?user=u&password=geheim&sslpassword=geheim&sslmode=require", "postgresql://db.example/name?sslmode=require&user=u"},
		{"host=db.example user=u password=geheim", masked},
		{"postgres://u:ge%zzheim@db.example/name", masked},
		{"geheim", masked},
		{"postgres://u:12/heim@db.example/name", masked},
		{"postgres://u:12#heim@db.example/name", masked},
		{"postgres://u:12?heim@db.example/name", masked},
	} {
		got := publicURL(tt.url)
		if strings.Contains(got, "heim") {
			t.Errorf("publicURL(%q) = %q", tt.url, got)
		}
		if got != tt.want && tt.want != masked {
			t.Errorf("publicURL(%q) = %q, want %q", tt.url, got, tt.want)
		}
	}
}

func TestDatabaseURLIsNotRepeated(t *testing.T) {
	for _, url := range []string{"geheim", "host=a password=geheim", "mysql://u:geheim@a/b", "postgres://u:ge%zzheim@a/b", "postgres:/\x7fgeheim",
		// A password with a mark that a URL ends it at.
		"postgres://u:12@heim@a/b", "postgres://u:12/heim@a/b", "postgres://u:12#heim@a/b", "postgres://u:12?heim@a/b", "postgres://u:12?x=y&heim@a/b", "postgres://12@heim@a,c/b",
	} {
		err := checkDatabaseURL(url)
		if err == nil || strings.Contains(err.Error()+hintFor(err), "heim") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"postgres://a/b", "postgresql://u:p@a:1,b:2/c?x=y", "postgres:///b?host=/run/postgresql", "postgres://u:1%402@a/b", "postgres:///b?host=@abstract", "postgres://a/b?user=u&password=1@2"} {
		if err := checkDatabaseURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// A command that forgets --database must not change the file beside it.
func TestAnotherDatabaseThanTheServers(t *testing.T) {
	dir := t.TempDir()
	p := &place{Data: dir}
	if err := p.sameDatabase(); err != nil {
		t.Errorf("without a mark: %v", err)
	}
	m := mark{Time: time.Now(), Epoch: "e"}
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := p.sameDatabase(); err != nil {
		t.Errorf("with a mark of SQLite: %v", err)
	}
	m.Database = "postgres://u@db.example/name"
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := p.sameDatabase(); err == nil || !strings.Contains(err.Error(), "postgres://u@db.example/name") {
		t.Errorf("with a mark of PostgreSQL: %v", err)
	}
	if _, err := p.open(&shell{ctx: t.Context()}, true); err == nil || needDatabase(dir) == nil {
		t.Errorf("a database was made beside it: %v", err)
	}
	p.Database = "postgres://u@other.example/name"
	if err := p.sameDatabase(); err != nil {
		t.Errorf("with a database named: %v", err)
	}
}
