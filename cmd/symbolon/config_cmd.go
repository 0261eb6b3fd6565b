package main

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// configCmd prints the settings of serve that are in force.
type configCmd struct {
	settings
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (configCmd) Help() string {
	return "It takes the same flags, environment and file as serve, and prints what that would run with. What is in none of them is that of the server that runs on the data directory, if one does. Secrets are masked.\n\nExample:\n\n    symbolon config --data /var/lib/symbolon"
}

// settingView is one setting in force.
type settingView struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	// From is "default", a flag, an environment variable, a file, or "the
	// running server".
	From string `json:"from"`
}

// masked stands in for a secret.
const masked = "(set, hidden)"

// Run implements the command.
func (c *configCmd) Run(sh *shell) error {
	views := c.views(sh)
	if c.JSON {
		if err := sh.printJSON(views); err != nil {
			return err
		}
	} else {
		rows := [][]string{{"SETTING", "VALUE", "FROM"}}
		for _, v := range views {
			rows = append(rows, []string{v.Name, text(v.Value), v.From})
		}
		if err := sh.printTable(rows); err != nil {
			return err
		}
	}
	_, err := c.check()
	return err
}

func (c *configCmd) views(sh *shell) []settingView {
	values := make(map[string]any)
	collect(reflect.ValueOf(c.settings), values)
	if c.Config == "" && sh.file != "" {
		values["config"] = sh.file
	}
	var views []settingView
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if text, ok := value.(string); ok && name == "database" && text != "" {
			value = publicURL(text)
		}
		if text, ok := value.(string); ok && name == "smtp_url" { // a password in it is refused, and not shown either
			if u, err := url.Parse(text); err == nil {
				value = u.Redacted()
			} else {
				value = masked
			}
		}
		views = append(views, settingView{Name: name, Value: value, From: sh.sources[name]})
	}
	root := settingView{Name: "root_key", Value: findRoot(c.Data, c.RootKeyFile, sh.env).what, From: "default"}
	if text, ok := sh.env(rootKeyEnv); ok && text != "" {
		root.Value, root.From = masked, rootKeyEnv
	}
	return append(views, root)
}

// collect gathers the fields with a setting tag, by their names.
func collect(v reflect.Value, into map[string]any) {
	for field, value := range v.Fields() {
		if name := field.Tag.Get("setting"); name != "" {
			into[name] = value.Interface()
		} else if field.Anonymous {
			collect(value, into)
		}
	}
}

// text is a setting's value for people.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return orDash(v)
	case []string:
		return orDash(strings.Join(v, " "))
	case []apiSetting:
		return orDash(joined(v))
	case []detailSetting:
		return orDash(joined(v))
	case []issuerSetting:
		return orDash(joined(v))
	case []upstreamSetting:
		return orDash(joined(v))
	case handoffSetting:
		return orDash(v.String())
	case map[string]string:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("%s=%q", name, v[name]))
		}
		return orDash(strings.Join(parts, " "))
	}
	return fmt.Sprint(v)
}

func joined[T fmt.Stringer](list []T) string {
	var parts []string
	for _, v := range list {
		parts = append(parts, v.String())
	}
	return strings.Join(parts, ", ")
}
