package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// backupCmd copies the database of a data directory, while a server may run on it.
type backupCmd struct {
	place
	File string `arg:"" help:"File to write. It must not exist."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (backupCmd) Help() string {
	return `The server may go on meanwhile. The backup has everything that was answered before it began. The root key is not in it: keep a copy of that apart, since whoever has both can make every token.

Example:

    symbolon backup --data /var/lib/symbolon /backup/symbolon-monday.db`
}

// Run implements the command.
func (c *backupCmd) Run(sh *shell) error {
	if c.Database != "" {
		return mend(errors.New("this is for the database in a data directory, and the server's is PostgreSQL"),
			"use PostgreSQL's own: pg_dump --format=custom for a copy, or pg_basebackup with archived WAL to go back to any moment")
	}
	if _, err := os.Lstat(c.File); err == nil {
		return mend(fmt.Errorf("there is a file %s already, and a backup never takes the place of another", c.File), "name a new file, and remove old ones when the new one is there")
	}
	return c.with(sh, false, func(d *desk) error {
		f, err := os.CreateTemp(filepath.Dir(c.File), "."+filepath.Base(c.File)+".*")
		if err != nil {
			return fmt.Errorf("the backup cannot be written: %w", err)
		}
		temporary := f.Name()
		defer os.Remove(temporary) // it has another name by then, unless we failed
		err = f.Close()
		if err == nil {
			err = d.store.file.Backup(sh.ctx, temporary)
		}
		if sh.ctx.Err() != nil {
			return errors.New("nothing was written: interrupted")
		}
		if err == nil {
			err = settleFile(temporary, c.File)
		}
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("there is a file %s by now, and a backup never takes the place of another", c.File)
		}
		if err != nil {
			return mend(fmt.Errorf("the backup cannot be written: %w", err), "nothing was left behind. Look whether the disk is full, and try again")
		}
		return c.print(sh)
	})
}

func (c *backupCmd) print(sh *shell) error {
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return sh.printJSON(map[string]any{"file": c.File, "bytes": info.Size()})
	}
	fmt.Fprintf(sh.stdout, "Wrote %s, %s. The root key is not in it: without that, nothing in it can be used again.\n", c.File, size(info.Size()))
	return nil
}

// settleFile gives a complete file its name, unless there is a file of that name: an
// error that is fs.ErrExist. It is durable then.
func settleFile(temporary, path string) error {
	// A link, other than a rename, never takes the place of a file.
	err := os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Not every file system has links; backups are kept on many kinds.
		if _, err := os.Lstat(path); err == nil {
			return fs.ErrExist
		}
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// size is a number of bytes as people read it.
func size(bytes int64) string {
	if bytes < 10<<20 {
		return fmt.Sprintf("%d KB", (bytes+1023)>>10)
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}
