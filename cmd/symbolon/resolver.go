package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// resolver finds the values of settings whose flags were not given: in the
// environment, then in the configuration file. It implements kong.Resolver.
type resolver struct {
	env lookup
	// known are the settings that there are, with a flag that has each.
	known map[string]*kong.Flag

	loaded bool
	file   string         // which was read, or empty
	values map[string]any // of the file
	found  map[*kong.Flag]string
	// running is the server on the data directory, once it was looked for.
	running *running
}

func newResolver(env lookup) *resolver {
	return &resolver{env: env, known: make(map[string]*kong.Flag), found: make(map[*kong.Flag]string)}
}

// configName is the configuration file in the data directory.
const configName = "symbolon.toml"

// settingOf returns the name of the setting that a flag sets, or empty.
func settingOf(v *kong.Value) string {
	if v.Tag == nil {
		return ""
	}
	return v.Tag.Get("setting")
}

// learn takes note of every setting of the program.
func (r *resolver) learn(app *kong.Application) {
	kong.Visit(app, func(n kong.Visitable, next kong.Next) error { //nolint:errcheck // the visitor returns none
		if flag, ok := n.(*kong.Flag); ok {
			if name := settingOf(flag.Value); name != "" {
				r.known[name] = flag
			}
		}
		return next(nil)
	})
}

// describe is the help of a flag, with its environment variable.
func (r *resolver) describe(v *kong.Value) string {
	name := settingOf(v)
	if name == "" || isTable(name) {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " ($" + envName(name) + ")."
}

// Validate implements kong.Resolver. The file has been checked by then.
func (r *resolver) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (r *resolver) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	name := settingOf(flag.Value)
	if name == "" {
		return nil, nil
	}
	if err := r.load(ctx); err != nil {
		return nil, &settingError{err}
	}
	var value any
	from := ""
	if text, ok := r.env(envName(name)); ok && text != "" && !isTable(name) {
		value, from = text, envName(name)
	} else if v, ok := r.values[name]; ok {
		value, from = v, r.file
	} else if v, ok := r.fromServer(ctx, name); ok && asks(ctx) {
		value, from = v, fromRunning
	} else {
		return nil, nil
	}
	if err := fits(flag, value); err != nil {
		return nil, &settingError{fmt.Errorf("%s in %s: %w", name, from, err)}
	}
	r.found[flag] = from
	return value, nil
}

// settingError is a fault in the environment or the file, which no flag that
// someone gave has to do with.
type settingError struct{ err error }

func (e *settingError) Error() string { return e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

// fits reports whether a value can be that of a flag.
func fits(flag *kong.Flag, value any) error {
	trial := reflect.New(flag.Target.Type()).Elem()
	if tables, ok := value.([]any); ok {
		// As the parser does it, which hides the fault behind the whole value.
		text, err := json.Marshal(tables)
		if err == nil {
			err = json.Unmarshal(text, trial.Addr().Interface())
		}
		if wrong, ok := errors.AsType[*wrongTable](err); ok {
			return wrong
		}
	}
	trial.SetZero()
	if err := flag.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), trial); err != nil {
		if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "--") {
			return inner // no one gave the flag
		}
		return err
	}
	if flag.Enum != "" && !slices.Contains(strings.Split(flag.Enum, ","), fmt.Sprint(value)) {
		return fmt.Errorf("must be one of %s but got %q", strings.ReplaceAll(flag.Enum, ",", ", "), fmt.Sprint(value))
	}
	return nil
}

// load reads the configuration file, once.
func (r *resolver) load(ctx *kong.Context) error {
	if r.loaded {
		return nil
	}
	r.loaded = true
	named, _ := r.early(ctx, "config")
	file := named
	if file == "" {
		dir, _ := r.early(ctx, "data")
		file = filepath.Join(dir, configName)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && named == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	values, err := r.parse(file, text)
	if err != nil {
		return err
	}
	if _, ok := values["data"]; ok && named == "" {
		return mend(fmt.Errorf("%s: data cannot be set in the data directory's own file", file), "take the line out, or name the file with --config")
	}
	r.file, r.values = file, values
	return nil
}

// parse reads the text of a configuration file. A key that is no setting is an
// error that names it.
func (r *resolver) parse(file string, text []byte) (map[string]any, error) {
	values := make(map[string]any)
	if err := toml.Unmarshal(text, &values); err != nil {
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, column := at.Position()
			return nil, mend(fmt.Errorf("%s, line %d, column %d: %s", file, row, column, strings.TrimPrefix(at.Error(), "toml: ")), "the file is TOML: name = \"value\"")
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if _, ok := r.known[key]; !ok || key == "config" {
			if near := nearest(key, r.keys()); near != "" {
				return nil, mend(fmt.Errorf("%s: unknown key %q", file, key), "is it %s?", near)
			}
			return nil, mend(fmt.Errorf("%s: unknown key %q", file, key), "the keys are %s", strings.Join(r.keys(), ", "))
		}
		switch v := values[key].(type) {
		case string, bool:
		case []any:
			if r.known[key].Target.Kind() != reflect.Slice {
				return nil, mend(fmt.Errorf("%s: %s is not a list", file, key), "write it as %s = \"value\"", key)
			}
		case int64, float64:
			values[key] = fmt.Sprint(v)
		case map[string]any:
			if isTable(key) {
				plainValues(v)
				break
			}
			if r.known[key].Target.Kind() == reflect.Struct { // one table, as its flag has it
				text, err := json.Marshal(v)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", file, key, err)
				}
				values[key] = string(text)
				break
			}
			err := fmt.Errorf("%s: %s is not a table", file, key)
			if r.known[key].Target.Kind() == reflect.Slice {
				err = mend(fmt.Errorf("%s: %s is a list of tables", file, key), "write [[%s]], with two brackets, above each", key)
			}
			return nil, err
		default:
			return nil, mend(fmt.Errorf("%s: %s has a value of a wrong type", file, key), "write it in quotes")
		}
	}
	return values, nil
}

// isTable reports whether a setting is a table in the file, and no variable of the
// environment.
func isTable(setting string) bool { return setting == "scopes" || setting == "appearance" }

// plainValues writes what a table has without quotes as text.
func plainValues(table map[string]any) {
	for key, v := range table {
		switch v.(type) {
		case bool, int64, float64:
			table[key] = fmt.Sprint(v)
		}
	}
}

// keys are the keys that a configuration file may have.
func (r *resolver) keys() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.known)), func(name string) bool { return name == "config" })
}

// early returns the value of a setting that says where the file is, so that it
// cannot be in the file, and whether it was given or is the default.
func (r *resolver) early(ctx *kong.Context, name string) (value string, given bool) {
	for _, flag := range ctx.Flags() {
		if settingOf(flag.Value) != name {
			continue
		}
		for _, p := range ctx.Path {
			if p.Flag == flag {
				return fmt.Sprint(ctx.FlagValue(flag)), true
			}
		}
		if text, ok := r.env(envName(name)); ok && text != "" {
			return text, true
		}
		return flag.Default, false
	}
	return "", false
}

// sources says of each setting of the chosen command where it came from.
func (r *resolver) sources(ctx *kong.Context) map[string]string {
	sources := make(map[string]string)
	for _, flag := range ctx.Flags() {
		if name := settingOf(flag.Value); name != "" {
			sources[name] = "default"
			if from, ok := r.found[flag]; ok {
				sources[name] = from
			}
		}
	}
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			if name := settingOf(p.Flag.Value); name != "" {
				sources[name] = "--" + p.Flag.Name
			}
		}
	}
	return sources
}
