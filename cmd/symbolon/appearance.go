package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/web"
)

// appearanceSettings are how the pages look and speak.
type appearanceSettings struct {
	// Appearance has the owner's name, logo, colours and links, by appearanceKeys.
	Appearance map[string]string `setting:"appearance" mapsep:"none" group:"appearance" placeholder:"NAME=VALUE" help:"How the pages look: name, logo, logo_dark, show_name, accent, accent_dark, second, second_dark, imprint, privacy, terms or help. Repeat it for several; in the file, a table [appearance]."`
	// Texts is a directory with files of sentences.
	Texts string `setting:"texts" group:"appearance" placeholder:"DIR" help:"Directory of files LANGUAGE.toml, whose sentences replace those of the pages or add a language."`
	// Language is for people whose browsers name none that is there.
	Language string `setting:"language" group:"appearance" default:"en" placeholder:"TAG" help:"Language of the pages for who asks for none that is there (${default})."`
}

// appearanceKeys are those of the table.
var appearanceKeys = []string{"name", "logo", "logo_dark", "show_name", "accent", "accent_dark", "second", "second_dark", "imprint", "privacy", "terms", "help"}

// read returns the appearance, or what is wrong with it.
func (s *appearanceSettings) read() (web.Appearance, error) {
	v := s.Appearance
	a := web.Appearance{
		Name: v["name"], Accent: v["accent"], AccentDark: v["accent_dark"], Second: v["second"], SecondDark: v["second_dark"],
		Imprint: v["imprint"], Privacy: v["privacy"], Terms: v["terms"], Help: v["help"], Language: s.Language,
	}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(appearanceKeys, key) {
			return a, mend(fmt.Errorf("appearance: there is no %q", key), "there are %s", strings.Join(appearanceKeys, ", "))
		}
	}
	switch v["show_name"] {
	case "", "true", "yes":
	case "false", "no":
		a.HideName = true
	default:
		return a, mend(fmt.Errorf("appearance: show_name is %q", v["show_name"]), `write "no" for a logo that has the name in it, or leave it out`)
	}
	var err error
	if a.Logo, err = readPicture("logo", v["logo"]); err != nil {
		return a, err
	}
	if a.LogoDark, err = readPicture("logo_dark", v["logo_dark"]); err != nil {
		return a, err
	}
	if s.Texts != "" {
		info, err := os.Stat(s.Texts)
		if err != nil || !info.IsDir() {
			return a, mend(fmt.Errorf("texts: %s is no directory that can be read", s.Texts), "name the directory in which the files cs.toml and so on are")
		}
		a.Texts = os.DirFS(s.Texts)
	}
	if err := a.Check(); err != nil {
		return a, err
	}
	return a, nil
}

// maxPicture bounds what is read of a file, in bytes; what the pages take is less.
const maxPicture = 4 << 20

func readPicture(key, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxPicture) {
		err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("no file of less than 4 MiB")}
	}
	if err != nil {
		return nil, fmt.Errorf("appearance: %s: %w", key, err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("appearance: %s: %w", key, err)
	}
	return content, nil
}
