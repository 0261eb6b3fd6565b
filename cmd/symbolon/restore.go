package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/sqlite"
)

// restoreCmd puts a backup into a data directory.
type restoreCmd struct {
	keyPlace
	File    string `arg:"" help:"Backup, as “symbolon backup” wrote it."`
	Replace bool   `help:"Put it in the place of the database that is there, which is kept beside it."`
	JSON    bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (restoreCmd) Help() string {
	return `The backup is checked before anything is changed. No server may run on the directory. The root key that was made with the data must be there, or be put there, before the server starts; it is in no backup. Connections are kept, also those that were refreshed since the backup was made; what was ended or changed since is as it was then, and the server says so when it starts.

Example:

    symbolon restore /backup/symbolon-monday.db --data /var/lib/symbolon --replace`
}

// restored is what a restore has done.
type restored struct {
	File string `json:"file"`
	// Kept is where the database that was there before is now, or empty.
	Kept string `json:"kept,omitempty"`
	// RootKey is there, missing or another.
	RootKey string `json:"root_key"`
}

// What is said of the root key beside the data.
const (
	rootThere   = "there"
	rootMissing = "missing"
	rootOther   = "another"
)

// Run implements the command.
func (c *restoreCmd) Run(sh *shell) (err error) {
	if c.Database != "" {
		return mend(errors.New("this is for the database in a data directory, and the server's is PostgreSQL"),
			"use PostgreSQL's own: pg_restore into an empty database, or its recovery from a base backup")
	}
	if err := c.sameDatabase(); err != nil {
		return err
	}
	if err := c.checkFile(); err != nil {
		return err
	}
	if err := makeDir(c.Data); err != nil {
		return err
	}
	lock, err := lockDir(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	if err := lock.tell(running{PID: syscall.Getpid()}); err != nil {
		return err
	}
	path := filepath.Join(c.Data, databaseName)
	_, missing := os.Lstat(path)
	if missing == nil && !c.Replace {
		return mend(fmt.Errorf("there is a database in %s already", c.Data), "add --replace to put the backup in its place: it is kept beside it. Or name another directory with --data")
	}
	temporary, err := c.take()
	if err != nil {
		return err
	}
	defer removeDatabase(temporary) // it has another name by then, unless we failed
	done := restored{File: c.File}
	if done.RootKey, err = c.inspect(sh, temporary); err != nil {
		return err
	}
	if done.Kept, err = setAside(path); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	if err := syncDir(c.Data); err != nil {
		return err
	}
	return c.print(sh, done)
}

// checkFile looks at the backup from outside.
func (c *restoreCmd) checkFile() error {
	info, err := os.Stat(c.File)
	switch {
	case err != nil:
		return fmt.Errorf("the backup cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", c.File)
	}
	if log, err := os.Stat(c.File + "-wal"); err == nil && log.Size() > 0 {
		return mend(fmt.Errorf("%s is not a backup but a database, whose last changes are in the file %s-wal beside it", c.File, filepath.Base(c.File)),
			"make a backup of it with “symbolon backup”, and restore that")
	}
	return nil
}

// take copies the backup into the data directory, under another name.
func (c *restoreCmd) take() (path string, err error) {
	from, err := os.Open(c.File)
	if err != nil {
		return "", fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer from.Close()
	to, err := os.CreateTemp(c.Data, "."+databaseName+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, to.Close())
		if err != nil {
			os.Remove(to.Name())
		}
	}()
	if err := sameOwner(to, c.Data); err != nil {
		return "", err
	}
	if _, err := io.Copy(to, from); err != nil {
		return "", fmt.Errorf("the backup cannot be copied: %w", err)
	}
	return to.Name(), to.Sync()
}

// inspect looks whether the copy is whole and of this program, and how the root key
// that is in its place stands to it.
func (c *restoreCmd) inspect(sh *shell, path string) (rootKey string, err error) {
	const another = "take another backup; nothing was changed"
	db, err := sqlite.Open(sh.ctx, sqlite.Options{Path: path})
	if err != nil {
		text := detail(err)
		if symbolon.KindOf(err) == symbolon.Busy {
			text = "it is damaged, or is no backup of this program"
			if cause := errors.Unwrap(err); cause != nil {
				text += ": " + cause.Error()
			}
		}
		return "", mend(fmt.Errorf("%s cannot be restored: %s", c.File, text), another)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.CheckAll(sh.ctx); err != nil {
		return "", mend(fmt.Errorf("%s is damaged: %w", c.File, err), another)
	}
	keys, err := db.Keys(sh.ctx, nil, false)
	if err != nil {
		return "", err
	}
	source := findRoot(c.Data, c.RootKeyFile, sh.env)
	if _, err := source.read(); errors.Is(err, errNoRoot) {
		return rootMissing, nil
	}
	if _, err := source.ringsOf(keys); err != nil {
		return rootOther, nil
	}
	return rootThere, nil
}

// setAside keeps the database that is there under another name, with its log, as
// they are. The name that it has now stays, too, until the backup takes it.
func setAside(path string) (kept string, err error) {
	kept = path + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
	there := false
	for _, end := range []string{"", "-wal"} {
		err := os.Link(path+end, kept+end)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		there = there || err == nil
	}
	// Beside the backup they would be taken for its own.
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if !there {
		return "", nil
	}
	return kept, nil
}

// removeDatabase removes a database and what SQLite leaves beside it.
func removeDatabase(path string) {
	for _, end := range []string{"", "-wal", "-shm", ".lock"} {
		os.Remove(path + end)
	}
}

func (c *restoreCmd) print(sh *shell, done restored) error {
	if c.JSON {
		return sh.printJSON(done)
	}
	fmt.Fprintf(sh.stdout, "Restored %s into %s.\n", c.File, c.Data)
	if done.Kept != "" {
		fmt.Fprintf(sh.stdout, "The database that was there is kept as %s.\n", done.Kept)
	}
	root := findRoot(c.Data, c.RootKeyFile, sh.env)
	switch done.RootKey {
	case rootThere:
		fmt.Fprintf(sh.stdout, "The root key in %s is the one that belongs to it.\n", root.what)
	case rootMissing:
		fmt.Fprintf(sh.stdout, "The root key is not in a backup: put the one that was made with this data at %s before you start the server.\n", root.what)
	default:
		fmt.Fprintf(sh.stdout, "The root key in %s cannot be read, or is not the one that was made with this data: put that there before you start the server.\n", root.what)
	}
	fmt.Fprintln(sh.stdout, "Connections go on, also those refreshed since. What was ended or changed since the backup is as it was then: end it, or change it, again.")
	return nil
}
