package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/symbolon/symbolon"
)

// fromRunning is the source of a setting that a running server has told.
const fromRunning = "the running server"

// running is what the server writes into the lock.
func (s *server) running(address net.Addr) running {
	told := s.settings.tell()
	if s.sandbox != nil {
		told["base_url"] = "http://" + address.String()
	}
	return running{PID: syscall.Getpid(), Listen: address.String(), TLS: s.TLSCert != "", Settings: told}
}

// tell returns the settings in the form in which a configuration file has them,
// without those that are empty. The data directory is where they are written,
// and the file need not be the same any more.
func (s *settings) tell() map[string]any {
	values := make(map[string]any)
	collect(reflect.ValueOf(*s), values)
	told := make(map[string]any)
	for name, value := range values {
		if name == "data" || name == "config" || reflect.ValueOf(value).IsZero() && name != "connection_lifetime" {
			continue
		}
		if name == "database" {
			value = publicURL(fmt.Sprint(value))
		}
		switch v := value.(type) {
		case []string, map[string]string, []apiSetting, []detailSetting:
			told[name] = v
		case []issuerSetting:
			// Who reads it may stand in another directory.
			whole := slices.Clone(v)
			for i := range whole {
				if path, err := filepath.Abs(whole[i].Keys); err == nil && whole[i].Keys != "" {
					whole[i].Keys = path
				}
			}
			told[name] = whole
		default:
			told[name] = fmt.Sprint(v)
		}
	}
	for _, name := range [...]string{"tls_cert", "tls_key", "client_ca", "root_key_file"} {
		// Who reads it may stand in another directory.
		if path, ok := told[name].(string); ok {
			if whole, err := filepath.Abs(path); err == nil {
				told[name] = whole
			}
		}
	}
	return told
}

// asks reports whether the command asks how a server runs, and so takes from it
// what is not given otherwise.
func asks(ctx *kong.Context) bool {
	node := ctx.Selected()
	return node != nil && (node.Name == "doctor" || node.Name == "config")
}

// fromServer returns what the server that runs on the data directory, if any,
// says of a setting.
func (r *resolver) fromServer(ctx *kong.Context, name string) (any, bool) {
	if r.running == nil {
		who, _ := whoRuns(r.dataDir(ctx))
		r.running = &who
	}
	value, ok := r.running.Settings[name]
	return value, ok
}

// scopes returns the scopes that have a sentence in the
// configuration file or in the server that runs.
func (r *resolver) scopes(ctx *kong.Context) []symbolon.Scope {
	var list []symbolon.Scope
	take := func(value any) {
		if table, ok := value.(map[string]any); ok {
			for name, sentence := range table {
				list = append(list, symbolon.Scope{Name: name, Description: fmt.Sprint(sentence)})
			}
		}
	}
	take(r.values["scopes"])
	if value, ok := r.fromServer(ctx, "scopes"); ok {
		take(value)
	}
	slices.SortFunc(list, func(a, b symbolon.Scope) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// dataDir returns the data directory of a command.
func (r *resolver) dataDir(ctx *kong.Context) string {
	dir, given := r.early(ctx, "data")
	if inFile, ok := r.values["data"].(string); ok && !given {
		return inFile
	}
	return dir
}

// shown returns the settings in force as the console shows them to operators. None of
// them is a secret: those that are secret are named by their files.
func (s *settings) shown() map[string]string {
	list := make(map[string]string)
	for name, value := range s.tell() {
		text, ok := value.(string)
		if !ok {
			b, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(b)
		}
		list[name] = text
	}
	return list
}
