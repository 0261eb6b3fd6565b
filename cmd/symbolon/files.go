package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// replaceFile writes a file of mode 0600 so that, whatever happens meanwhile,
// either the old text or the new is there, and after it the new one.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has another name by then, unless we failed
	if err := sameOwner(f, path); err != nil {
		f.Close()
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// sameOwner gives a new file the owner of the one whose place it is to take, so
// that a command run by root locks no server out of its files.
func sameOwner(f *os.File, path string) error {
	var st unix.Stat_t
	if os.Geteuid() != 0 || unix.Stat(path, &st) != nil {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// syncDir makes a change of a directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// createFile makes a file of mode 0600 with its whole text, unless there is
// one: an error that is fs.ErrExist.
func createFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// A link, other than a rename, never takes the place of a file.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
