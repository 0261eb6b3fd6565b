package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
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

// C8: what needs the database is done again while it is away on another machine, and
// until the server is told to stop. Any other error ends it, and a file that cannot be
// used is not waited for.
func TestAwaitDatabase(t *testing.T) {
	t.Parallel()
	away := symbolon.Errorf(symbolon.Busy, "look", "away")
	broken := errors.New("broken")
	s := &server{log: logs{Logger: discard()}}
	tries := 0
	do := func(errs ...error) func(context.Context) error {
		tries = 0
		return func(context.Context) error {
			tries++
			return errs[min(tries, len(errs))-1]
		}
	}
	if err := s.await(t.Context(), do(away, nil)); symbolon.KindOf(err) != symbolon.Busy || tries != 1 {
		t.Errorf("a file: %v after %d tries", err, tries)
	}
	s.Database = "postgres://u@db.example/name"
	if err := s.await(t.Context(), do(away, away, nil)); err != nil || tries != 3 {
		t.Errorf("away for a moment: %v after %d tries", err, tries)
	}
	if err := s.await(t.Context(), do(away, broken)); !errors.Is(err, broken) || tries != 2 {
		t.Errorf("broken: %v after %d tries", err, tries)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.unlessStopped(s.await(ctx, do(away))); err != nil || tries != 1 {
		t.Errorf("told to stop: %v after %d tries", err, tries)
	}
}
