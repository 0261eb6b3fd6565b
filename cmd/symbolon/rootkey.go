package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/jwt"
	"github.com/symbolon/symbolon/seal"
)

const (
	rootKeyName       = "root.key"
	rootKeyEnv        = "SYMBOLON_ROOT_KEY"
	rootKeyCredential = "symbolon-root-key"
)

// rootSource is where the root key is kept.
type rootSource struct {
	// what names it to people.
	what string
	// path is the file, or empty when the key is in the environment.
	path string
	text string // of the environment
	// given says that an operator named the source: it is never made.
	given bool
	// credential says that systemd keeps the file, and guards its directory.
	credential bool
}

// findRoot decides where the root key is, in the order --root-key-file,
// SYMBOLON_ROOT_KEY, the systemd credential, root.key in the data directory.
func findRoot(dir, file string, env lookup) rootSource {
	if file != "" {
		return rootSource{what: file, path: file, given: true}
	}
	if text, ok := env(rootKeyEnv); ok && text != "" {
		return rootSource{what: "the environment variable " + rootKeyEnv, text: text, given: true}
	}
	if credentials, ok := env("CREDENTIALS_DIRECTORY"); ok && credentials != "" {
		path := filepath.Join(credentials, rootKeyCredential)
		if _, err := os.Lstat(path); err == nil {
			return rootSource{what: "the systemd credential " + rootKeyCredential, path: path, given: true, credential: true}
		}
	}
	path := filepath.Join(dir, rootKeyName)
	return rootSource{what: path, path: path}
}

// errNoRoot means that the source has no root key at all.
var errNoRoot = errors.New("there is no root key")

// read returns the root keys of the source, the current one first.
func (s rootSource) read() ([]*seal.RootKey, error) {
	text := s.text
	if s.path != "" {
		if err := s.checkMode(); err != nil {
			return nil, err
		}
		b, err := os.ReadFile(s.path)
		if err != nil {
			return nil, mend(fmt.Errorf("the root key cannot be read: %w", err), "let the user that runs the server read %s, and nobody else (chmod 600, chown)", s.path)
		}
		text = string(b)
	}
	roots, err := seal.ParseRootKeys(text)
	if err != nil {
		return nil, mend(fmt.Errorf("%s holds no root key: %w", s.what, err), "put back the root key that was made with this data from your backup; there is no other way to read what it sealed")
	}
	return roots, nil
}

func (s rootSource) checkMode() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w at %s", errNoRoot, s.path)
	case err != nil:
		return mend(fmt.Errorf("the root key cannot be read: %w", err), "let the user that runs the server read %s", s.path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", s.path)
	}
	open := info.Mode().Perm() & 0o077
	if s.credential {
		open &= 0o007 // systemd may show its own access list as group bits
	}
	if open != 0 {
		return mend(fmt.Errorf("%s may be read by others than its owner (mode %04o)", s.path, info.Mode().Perm()), "chmod 600 %s; if someone may have read it, run “symbolon key rotate --root” as well", s.path)
	}
	return nil
}

// missingRoot says that data is there and its root key is not.
func (s rootSource) missingRoot() error {
	return mend(fmt.Errorf("the database has keys, but %w at %s", errNoRoot, s.path),
		"put the root key that was made with this data back there from your backup (on a new node: a copy of the other nodes'), or name it with --root-key-file, %s or a systemd credential. A new one would make every token and connection worthless, so none is made", rootKeyEnv)
}

// foreignRoot says that the root key is another server's.
func (s rootSource) foreignRoot(err error) error {
	return mend(fmt.Errorf("the root key in %s is not the one that was made with this data: %w", s.what, err),
		"put back the root key that belongs to this database, from the same backup; the one that is there may belong to another server")
}

// make makes a root key in the file, which must not exist.
func (s rootSource) make() (*seal.RootKey, error) {
	root, err := seal.NewRootKey()
	if err != nil {
		return nil, err
	}
	if err := createFile(s.path, rootText(root)); err != nil {
		return nil, fmt.Errorf("the root key cannot be made: %w", err)
	}
	return root, nil
}

// rootText is what stands in a root key file.
func rootText(roots ...*seal.RootKey) []byte {
	var b strings.Builder
	b.WriteString("# The root key of a Symbolon server. Whoever has it and the database can make\n# every token. Keep a copy apart from the database's backups.\n")
	for _, r := range roots {
		b.WriteString(r.Reveal() + "\n")
	}
	return []byte(b.String())
}

// rings are the store's keys, opened.
type rings struct {
	sealing *seal.Ring
	signing *jwt.Ring
	roots   []*seal.RootKey // of the source, the current one first
}

// ringsOf opens the store's keys with the source's root keys.
func (s rootSource) ringsOf(keys []symbolon.Key) (rings, error) {
	roots, err := s.read()
	if errors.Is(err, errNoRoot) {
		return rings{}, s.missingRoot()
	}
	if err != nil {
		return rings{}, err
	}
	r := rings{roots: roots}
	if r.sealing, err = seal.NewRing(roots, keys); err != nil {
		return rings{}, s.foreignRoot(err)
	}
	// The root key is the right one, then, for it opened the sealing keys.
	if r.signing, err = jwt.NewRing(roots, keys); err != nil {
		return rings{}, mend(fmt.Errorf("the signing keys cannot be opened: %w", err), "if a newer version of this program made one, use that version")
	}
	return r, nil
}
