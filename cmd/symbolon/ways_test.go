package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// How people sign in: what config takes, and what it says of everything else.
func TestWays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hush, keys := filepath.Join(dir, "hush"), filepath.Join(dir, "keys.json")
	set := `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	for path, text := range map[string]string{hush: "topsecret\n", keys: set} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	up := "[[upstreams]]\nname = \"one\"\nissuer = \"https://one.example\"\nclient_id = \"us\"\nclient_secret_file = \"" + hush + "\"\n"
	hand := "[handoff]\nurl = \"https://site.example/handoff\"\nissuer = \"https://site.example\"\nkeys = \"" + keys + "\"\n"
	mail := "smtp_url = \"smtps://us@mail.example\"\nmail_from = \"Mill <no-reply@example.com>\"\n"
	for file, want := range map[string]string{
		"": "", mail + up + hand: "", "sign_in = [\"handoff\"]\n" + hand: "", "sign_in = [\"passkey\"]": "",
		"sign_in = [\"fingerprint\"]":                                                      "there is no way",
		"sign_in = [\"upstream\"]":                                                         "leaves no way in",
		"sign_in = [\"handoff\"]\n" + up:                                                   "leaves no way in",
		up + strings.Replace(up, "https://one", "https://two", 1):                          "is there twice",
		up + strings.Replace(up, `"one"`, `"two"`, 1):                                      "the issuer https://one.example is there twice",
		strings.Replace(up, `"one"`, `"handoff"`, 1):                                       "is not one",
		strings.Replace(up, `"one"`, `"<b>"`, 1):                                           "is not one",
		strings.Replace(up, "https://one.example", "http://one.example", 1):                "is not an https URL",
		strings.Replace(up, "https://one.example", "https://auth.test", 1):                 "is this server itself",
		strings.Replace(up, hush, hush+"x", 1):                                             "client_secret_file",
		strings.Replace(up, "client_id = \"us\"\n", "", 1):                                 "has no client_id",
		up + "secret = \"x\"\n":                                                            "unknown key",
		up + "create_accounts = \"yes\"\n":                                                 "must be true or false",
		up + "email_domains = [\"@example.com\"]\n":                                        "is no domain",
		strings.Replace(hand, keys, keys+"x", 1):                                           "handoff: https://site.example: its keys cannot be read",
		strings.Replace(hand, "https://site.example/h", "http://site.example/h", 1):        "handoff: its url",
		hand + "secret = \"x\"\n":                                                          "unknown key",
		up + strings.Replace(hand, "issuer = \"https://site", "issuer = \"https://one", 1): "that of one of upstreams",
		"[[handoff]]\nurl = \"x\"\n":                                                       "handoff is not a list",
		strings.Replace(mail, "us@", "us:topsecret@", 1):                                   "has a password in it",
		strings.Replace(mail, "smtps:", "https:", 1):                                       "smtp_url",
		"smtp_url = \"smtp://mail.example\"\n":                                             "mail_from is not an address",
		"mail_from = \"a@example.com\"\n":                                                  "smtp_url is not",
	} {
		path := filepath.Join(t.TempDir(), "symbolon.toml")
		if err := os.WriteFile(path, []byte("base_url = \"https://auth.test\"\ntrusted_proxy = [\"127.0.0.1/32\"]\n"+file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		status := run(t.Context(), []string{"config", "--config", path}, nil, &out, &errs, noEnv)
		switch {
		case want == "" && status != exitOK, want != "" && (status == exitOK || !strings.Contains(errs.String(), want)):
			t.Errorf("%s\n→ %d %s, want %q", file, status, errs.String(), want)
		case strings.Contains(out.String()+errs.String(), "topsecret"):
			t.Errorf("%s\n→ a secret is printed: %s%s", file, out.String(), errs.String())
		}
	}
}
