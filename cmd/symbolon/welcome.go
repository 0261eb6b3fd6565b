package main

import (
	"fmt"
	"net/url"
	"strings"
)

// paint colours text on a terminal, unless NO_COLOR is set; elsewhere it leaves
// it as it is.
type paint bool

func (sh *shell) paint() paint {
	_, tty := terminal(sh.stdout)
	none, _ := sh.env("NO_COLOR")
	kind, _ := sh.env("TERM")
	return paint(tty && none == "" && kind != "dumb")
}

func (p paint) in(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string { return p.in("1", s) }
func (p paint) dim(s string) string  { return p.in("2", s) }
func (p paint) link(s string) string { return p.in("36;4", s) }
func (p paint) line(s string) string { return p.in("32", s) }

// print greets a newcomer.
func (w *welcome) print(sh *shell, dir string) error {
	p := sh.paint()
	var b strings.Builder
	row := func(label, text string) { fmt.Fprintf(&b, "  %s  %s\n", p.dim(fmt.Sprintf("%-10s", label)), text) }
	fmt.Fprintf(&b, "\n%s\n\n", p.bold("Symbolon is running: the demo, for trying out."))
	row("playground", p.link(w.BaseURL+"/playground")+"   every request and answer, as it happens")
	row("console", p.link(w.BaseURL+"/console")+"   register an app of your own; see why a request fails")
	row("account", p.link(w.BaseURL+"/account")+"   what is connected, and how to end it")
	row("documents", p.link(w.BaseURL+"/docs"))
	row("address", w.BaseURL)
	row("data", dir+"   remove it to begin anew")
	b.WriteByte('\n')
	for i, a := range w.Accounts {
		password := "password " + a.Password
		if a.Password == "" {
			password = "password was changed"
		}
		row(label(i, "people"), fmt.Sprintf("%-11s username %-6s %s", a.User, a.Username, password))
	}
	row("app", "Sandbox app, "+w.ClientID)
	fmt.Fprintf(&b, "\n%s\n\n", p.bold("The six steps. Paste the lines one after another into sh or bash."))
	for i, line := range w.lines() {
		fmt.Fprintf(&b, "%s\n%s\n\n", p.dim(fmt.Sprintf("# %d. %s", i+1, steps[i])), p.line(line))
	}
	b.WriteString(p.dim("Ctrl-C stops the demo.") + "\n")
	_, err := sh.stdout.Write([]byte(b.String()))
	return err
}

// steps are the names of the six steps.
var steps = [6]string{
	"Redirect a user to your app: an API caller gets the code at once, for Jane Doe",
	"Handle the callback request",
	"Retrieve an access token and refresh token",
	"Make an API request",
	"Refresh the access token",
	"Access invalidation",
}

// lines are the six steps as lines for a shell. Each shows its answer; those
// whose answer a later one needs keep it in a variable.
func (w *welcome) lines() [6]string {
	callback := w.BaseURL + "/playground/callback"
	query := url.Values{
		"response_type": {"code"},
		"client_id":     {w.ClientID},
		"redirect_uri":  {callback},
		"scope":         {"connect"},
		"state":         {"hello"},
	}
	client := fmt.Sprintf("-d client_id=%s -d client_secret=%s", w.ClientID, w.ClientSecret)
	// keep runs a curl, shows its answer and takes fields out of its JSON.
	keep := func(curl string, fields ...string) string {
		line := fmt.Sprintf(`answer=$(%s); printf '%%s\n' "$answer"`, curl)
		for _, field := range fields {
			line += fmt.Sprintf(`; %s=$(printf '%%s' "$answer" | sed 's/.*"%s": *"\([^"]*\)".*/\1/')`, field, field)
		}
		return line
	}
	return [6]string{
		keep(fmt.Sprintf("curl -sS '%s/authorize?%s'", w.BaseURL, query.Encode()), "code"),
		fmt.Sprintf(`curl -sS "%s?code=$code&state=hello&iss=%s"; echo`, callback, url.QueryEscape(w.BaseURL)),
		keep(fmt.Sprintf(`curl -sS %s/token -d grant_type=authorization_code -d "code=$code" -d redirect_uri=%s %s`, w.BaseURL, callback, client), "access_token", "refresh_token"),
		fmt.Sprintf(`curl -sS %s/info -H "Authorization: Bearer $access_token"; echo`, w.BaseURL),
		keep(fmt.Sprintf(`curl -sS %s/refresh -d "refresh_token=$refresh_token" %s`, w.BaseURL, client), "access_token", "refresh_token"),
		fmt.Sprintf(`curl -sS -i %s/invalidate -H "Authorization: Bearer $access_token"`, w.BaseURL),
	}
}
