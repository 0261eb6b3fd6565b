package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestSettleFileTakesNoFilesPlace(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kept := write("kept", "kept")
	if err := settleFile(write("new", "new"), kept); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
	free := filepath.Join(dir, "free")
	if err := settleFile(filepath.Join(dir, "new"), free); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(free); err != nil || string(text) != "new" {
		t.Errorf("the file has %q, %v", text, err)
	}
}
