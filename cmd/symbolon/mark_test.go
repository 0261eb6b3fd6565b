package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestCompareMark(t *testing.T) {
	t.Parallel()
	now := time.Now()
	was := mark{Time: now, Epoch: "e", Commits: 7}
	for _, c := range []struct {
		name    string
		m       mark
		err     error
		db      databaseMark
		machine time.Time
		want    []string // how the warnings begin
	}{
		{"all is well", was, nil, databaseMark{Epoch: "e", Commits: 7, Used: true}, now, nil},
		{"commits by the command line", was, nil, databaseMark{Epoch: "e", Commits: 9, Used: true}, now, nil},
		{"a clock within the slack", was, nil, databaseMark{Epoch: "e", Commits: 7, Used: true}, now.Add(-clockSlack), nil},
		{"a clock set back", was, nil, databaseMark{Epoch: "e", Commits: 7, Used: true}, now.Add(-2 * clockSlack), []string{"The machine's clock is 2m behind"}},
		{"an older copy", was, nil, databaseMark{Epoch: "e", Commits: 6, Used: true}, now, []string{"The database is an older copy of the one that was last used here: 1 commit is missing"}},
		{"an older copy of a database of several nodes", was, nil, databaseMark{Epoch: "e", Commits: 6, Used: true, Shared: true}, now, []string{"The database is an older copy of the one that was last used here: the last changes are missing. "}},
		{"another database", was, nil, databaseMark{Epoch: "f", Commits: 70, Used: true}, now, []string{"The database is not the one"}},
		{"both", was, nil, databaseMark{Epoch: "e", Commits: 1, Used: true}, now.Add(-time.Hour), []string{"The machine's clock is 1h behind", "The database is an older copy"}},
		{"a first start", mark{}, fs.ErrNotExist, databaseMark{Epoch: "e", Commits: 3}, now, nil},
		{"no mark", mark{}, fs.ErrNotExist, databaseMark{Epoch: "e", Commits: 3, Used: true}, now, []string{"The high-water mark is missing"}},
		{"a damaged mark", mark{}, errors.New("damaged"), databaseMark{Epoch: "e", Commits: 3, Used: true}, now, []string{"The high-water mark cannot be read"}},
	} {
		got := compareMark(c.m, c.err, c.db, c.machine)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d warnings, want %d: %q", c.name, len(got), len(c.want), got)
			continue
		}
		for i, begin := range c.want {
			if !strings.HasPrefix(got[i], begin) {
				t.Errorf("%s: warning %q, want it to begin %q", c.name, got[i], begin)
			}
		}
	}
}

func TestReadMarkRefusesDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := readMark(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no mark: %v, want fs.ErrNotExist", err)
	}
	m := mark{Time: time.Now().UTC().Round(0), Epoch: "e", Commits: 3}
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := readMark(dir); err != nil || got != m {
		t.Errorf("read %v, %v, want %v", got, err, m)
	}
	if info, err := os.Stat(filepath.Join(dir, markName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	for _, text := range []string{"", "{", "{}", `{"time":"0001-01-01T00:00:00Z","epoch":"e","commits":1}`, `{"time":"2026-01-01T00:00:00Z","commits":1}`, `{"time":"2026-01-01T00:00:00Z","epoch":"e","commits":-1}`} {
		if err := os.WriteFile(filepath.Join(dir, markName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := readMark(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: read as %v, %v, want an error", text, m, err)
		}
	}
}

// TestKeepMark writes at once, when it moved, and at the end, and tells of a
// failure once.
func TestKeepMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := time.Now().UTC().Round(0)
	keepMark(ctx, dir, func() (mark, error) { return mark{Time: now, Epoch: "e"}, nil }, func(err error) { t.Error(err) })
	if m, err := readMark(dir); err != nil || !m.Time.Equal(now) {
		t.Errorf("after the end the mark is %v, %v, want %v", m.Time, err, now)
	}
	told := 0
	keepMark(ctx, filepath.Join(dir, "gone"), func() (mark, error) { return mark{Time: now, Epoch: "e"}, nil }, func(error) { told++ })
	if told != 1 {
		t.Errorf("two failures were told %d times, want once", told)
	}
}

// TestUsedClockNeverForgets starts behind its floor.
func TestUsedClockNeverForgets(t *testing.T) {
	t.Parallel()
	floor := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	c := newUsedClock(floor)
	if !c.highest().Equal(floor) {
		t.Errorf("before any use the highest is %v, want the floor %v", c.highest(), floor)
	}
	now := c.Now()
	if now.Before(floor) || !c.highest().Equal(now) {
		t.Errorf("now is %v and the highest %v, floor %v", now, c.highest(), floor)
	}
}
