package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/admin"
)

func TestBaseURLHasOneSpelling(t *testing.T) {
	t.Parallel()
	for base, write := range map[string]string{
		"https://auth.example":      "",
		"https://auth.example:8443": "",
		"http://127.0.0.1:8080":     "",
		"http://[::1]:8080":         "",
		"http://localhost":          "",
		"https://auth.example/":     "write https://auth.example",
		// RFC 8414 §3: an issuer may have a path.
		"https://auth.example/t1":          "",
		"https://auth.example/a/b-c_d.e~":  "",
		"http://127.0.0.1:8080/t1":         "",
		"https://auth.example/t1/":         "write https://auth.example/t1",
		"https://auth.example//t1":         "write https://auth.example/t1",
		"https://auth.example/a//b":        "write https://auth.example/a/b",
		"https://AUTH.example:443/T1":      "write https://auth.example/T1",
		"https://auth.example/t1?":         "write https://auth.example/t1",
		"https://auth.example/t1#x":        "write https://auth.example/t1",
		"https://auth.example/a%20b":       "write it as https://auth.example/auth",
		"https://auth.example/%74":         "write it as https://auth.example/auth",
		"https://auth.example/ä":           "write it as https://auth.example/auth",
		"https://auth.example/a;b":         "write it as https://auth.example/auth",
		"https://auth.example/../t1":       "write it as https://auth.example/auth",
		"https://auth.example/.":           "write it as https://auth.example/auth",
		"https://auth.example/.well-known": "write it as https://auth.example/auth",
		"https://auth.example?":            "write https://auth.example",
		"https://auth.example#":            "write https://auth.example",
		"https://user@auth.example":        "write https://auth.example",
		"https://auth.example:443":         "write https://auth.example",
		"https://auth.example:":            "write https://auth.example",
		"http://localhost:80":              "write http://localhost",
		"https://AUTH.example":             "write https://auth.example",
		"HTTPS://auth.example":             "write https://auth.example",
		"http://auth.example":              "write https://auth.example; plain http is for this computer only",
		"http://127.0.0.1.example":         "write https://127.0.0.1.example; plain http is for this computer only",
		"auth.example":                     "write it as https://auth.example.com",
		"ftp://auth.example":               "write it as https://auth.example.com",
		"https:auth.example":               "write it as https://auth.example.com",
		"https://":                         "write it as https://auth.example.com",
		"":                                 "set it to where",
		"https://auth.example\nx":          "write it as https://auth.example.com",
		"https://auth.example:8443/?#":     "write https://auth.example:8443",
	} {
		err := checkBaseURL(base)
		if write == "" {
			if err != nil {
				t.Errorf("%q: %v", base, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(hintFor(err), write) {
			t.Errorf("%q: %v, hint %q, want %q", base, err, hintFor(err), write)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		d       time.Duration
		spelled string
	}{
		"90s":    {90 * time.Second, "1m30s"},
		"10m":    {10 * time.Minute, "10m"},
		"1h30m":  {90 * time.Minute, "1h30m"},
		"24h":    {24 * time.Hour, "1d"},
		"180d":   {180 * 24 * time.Hour, "180d"},
		"0":      {0, "0s"},
		"250ms":  {250 * time.Millisecond, "250ms"},
		"2h":     {2 * time.Hour, "2h"},
		"10m10s": {10*time.Minute + 10*time.Second, "10m10s"},
	} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != want.d || s.String() != want.spelled {
			t.Errorf("%q is %v, spelled %q, %v; want %v, %q", text, time.Duration(s), s, err, want.d, want.spelled)
		}
		var again span
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q reads back as %v, %v", s, again, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-5m", "1.5d", "5", "10 m", "999999999999d", "4294967295d"} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Make", "Jane Doe", "Ωmega 東京", "👩‍👩‍👧", strings.Repeat("x", 100), "محمد"} {
		if err := admin.CheckName("name", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", " x", "x ", "a\nb", "a\tb", "a\x00b", "a\u202eb", "a\u2066b", "a\u200fb", "\xff", strings.Repeat("x", 101), "a\u2028b", "\x1b[31m"} {
		if err := admin.CheckName("name", name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, home := range []string{"", "https://x.example", "https://x.example/a?b=c"} {
		if err := admin.CheckHome(home); err != nil {
			t.Errorf("%q: %v", home, err)
		}
	}
	for _, home := range []string{"http://x.example", "https://", "x.example", "https://u:p@x.example", "https://x.example/a b", "javascript:alert(1)", "https://x.example/\u202e"} {
		if err := admin.CheckHome(home); err == nil {
			t.Errorf("%q is taken", home)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	prefixes, err := parseNetworks("trusted_proxy", []string{"10.1.2.3/8", "192.0.2.1", "fd00::/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range prefixes {
		got = append(got, p.String())
	}
	if want := "10.0.0.0/8 192.0.2.1/32 fd00::/8 ::1/128"; strings.Join(got, " ") != want {
		t.Errorf("read as %v, want %s", got, want)
	}
	for _, bad := range []string{"", "proxy", "10.0.0.0/33", "0.0.0.0/0", "::/0", "*"} {
		if p, err := parseNetworks("trusted_proxy", []string{bad}); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}

// TestEverySettingIsDocumented holds each setting to having help, and the file
// and the environment to knowing the settings of serve.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	r := newResolver(noEnv)
	if _, err := newParser(r, nil, nil); err != nil {
		t.Fatal(err)
	}
	if len(r.known) < 15 {
		t.Errorf("only %d settings are known: %v", len(r.known), r.keys())
	}
	for name, flag := range r.known {
		if flag.Help == "" || !strings.HasSuffix(flag.Help, ".") {
			t.Errorf("%s: its help is %q, want a sentence", name, flag.Help)
		}
		if name != strings.ToLower(name) || strings.Contains(name, "-") {
			t.Errorf("%s: not a key in lower case with _", name)
		}
	}
}

// TestTheConfigurationPageIsWhole holds docs/configuration.md to naming every
// setting, in a file that serve would take, and every flag about an app.
func TestTheConfigurationPageIsWhole(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```toml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("there is no example")
	}
	r := newResolver(noEnv)
	parser, err := newParser(r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	// As the file says it, with what it leaves out by "# " taken in.
	whole := regexp.MustCompile(`(?m)^# ([a-z_]+ = )`).ReplaceAllString(example, "$1")
	values, err := r.parse("docs/configuration.md", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	for name, flag := range r.known {
		value, ok := values[name]
		if !ok {
			if name != "data" && name != "config" {
				t.Errorf("the example lacks %s", name)
			}
			continue
		}
		if err := fits(flag, value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, command := range parser.Model.Leaves(true) {
		if command.Path() != "app create" {
			continue
		}
		for _, flag := range command.Flags {
			if !slices.Contains([]string{"help", "data", "database", "database-notify", "config", "json", "name", "redirect-uri", "scope", "public", "rotation", "home"}, flag.Name) &&
				!strings.Contains(string(page), "`--"+flag.Name) {
				t.Errorf("--%s of app create is not on the page", flag.Name)
			}
		}
	}

	// And serve would run with the example.
	path := filepath.Join(t.TempDir(), "symbolon.toml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"config", "--config", path}, nil, &out, &errs, noEnv); status != exitOK {
		t.Errorf("the example: %s", errs.String())
	}
}
