package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/web"
)

// appLogCmd shows the last requests of an app.
type appLogCmd struct {
	place
	App    string `arg:"" optional:"" help:"The app: its client_id or its name. Without one: the requests that named no app that there is."`
	Errors bool   `help:"Only those that were refused."`
	Limit  int    `default:"20" help:"At most so many, the latest."`
	Follow bool   `short:"f" help:"Go on, and show each as it comes."`
	JSON   bool   `name:"json" help:"Print one line of JSON for each."`
}

// Help implements kong.HelpProvider.
func (appLogCmd) Help() string {
	return "The latest stands last. “symbolon explain” says of one what arrived and what decided.\n\nExample:\n\n    symbolon app log Make --errors"
}

// followEvery is how often it is looked for what is new.
const followEvery = 500 * time.Millisecond

// Run implements the command.
func (c *appLogCmd) Run(sh *shell) error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit must be at least 1")
	}
	return c.with(sh, false, func(d *desk) error {
		q := symbolon.TrailQuery{Failed: c.Errors, Limit: c.Limit}
		if c.App != "" {
			app, err := d.app(sh, c.App)
			if err != nil {
				return err
			}
			q.Client = app.ID
		}
		for first := true; ; first = false {
			list, err := d.store.trail.Trail(sh.ctx, q)
			if err != nil && sh.ctx.Err() == nil {
				return err
			}
			if first && len(list) == 0 && !c.Follow && !c.JSON {
				fmt.Fprintln(sh.stdout, "Nothing is kept of such requests. They are written down within a second, unless request_log is off.")
			}
			for i := range slices.Backward(list) {
				if err := c.print(sh, &list[i]); err != nil {
					return err
				}
			}
			if len(list) > 0 {
				q.After = list[0].ID
			}
			if !c.Follow {
				return nil
			}
			q.Limit = page
			select {
			case <-time.After(followEvery):
			case <-sh.ctx.Done():
				return nil
			}
		}
	})
}

func (c *appLogCmd) print(sh *shell, e *symbolon.TrailEntry) error {
	if c.JSON {
		return sh.printEntry(e)
	}
	answer := fmt.Sprint(e.Status)
	if e.Failed() {
		answer += " " + e.Error
	}
	_, err := fmt.Fprintf(sh.stdout, "%s  %s  %-10s  %s\n", when(e.At), e.RequestID, e.Endpoint, printable(answer))
	if err == nil && e.Description != "" {
		_, err = fmt.Fprintf(sh.stdout, "    %s\n", printable(e.Description))
	}
	return err
}

// printEntry prints an entry as JSON, on one line.
func (sh *shell) printEntry(e *symbolon.TrailEntry) error {
	text, err := e.Encode()
	if err != nil {
		return err
	}
	return sh.printJSON(json.RawMessage(text))
}

// explainCmd explains a request.
type explainCmd struct {
	place
	RequestID string `arg:"" name:"request-id" help:"The request_id of the answer, of its header X-Request-Id, or of the log."`
	JSON      bool   `name:"json" help:"Print one line of JSON."`
}

// Help implements kong.HelpProvider.
func (explainCmd) Help() string {
	return "Example:\n\n    symbolon explain GBIQKG3XK2HDR5CZTSCVTR2M2Q"
}

// Run implements the command.
func (c *explainCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		id := strings.ToUpper(strings.TrimSpace(c.RequestID))
		list, err := d.store.trail.Trail(sh.ctx, symbolon.TrailQuery{RequestID: id, Limit: 1})
		if err != nil {
			return err
		}
		if id == "" || len(list) == 0 {
			return mend(fmt.Errorf("nothing is kept of a request with the id %q", c.RequestID),
				"of what succeeded only a part is kept, of what failed the last of each app, and nothing where request_log is off; the server's own log has a line for each")
		}
		e := &list[0]
		if c.JSON {
			return sh.printEntry(e)
		}
		connection, err := web.TrailConnection(sh.ctx, d.store, e)
		if err != nil {
			return err
		}
		v := web.NewTrailView(e, connection)
		name := ""
		if e.Client != "" {
			if app, err := d.service().App(sh.ctx, operator, e.Client); err == nil {
				name = app.Name
			}
		}
		explainRequest(sh.stdout, &v, name)
		return nil
	})
}

// explainRequest prints a request with what decided.
func explainRequest(w io.Writer, v *web.TrailView, app string) {
	line := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = printable(s)
			}
		}
		fmt.Fprintf(w, format+"\n", args...)
	}
	head := fmt.Sprint(v.Status)
	if v.Code != "" {
		head += " " + v.Code
	}
	line("%s: %s %s, %s, in %s", head, v.Method, v.Route, v.When, v.Took)
	for _, fact := range [][2]string{{"request", v.RequestID}, {"app", strings.TrimSpace(app + " " + v.Client)}, {"account", v.Account}, {"connection", v.Connection}, {"from", v.Address}} {
		if fact[1] != "" {
			line("%-10s  %s", fact[0], fact[1])
		}
	}
	if v.Unproven {
		line("\nAnyone can have sent this: it proves nothing.")
	}
	if v.Description != "" {
		line("\nThe caller was told:\n  %s", v.Description)
	}
	if v.Check != "" {
		source := ""
		if v.Source != "" {
			source = " (" + v.Source + ")"
		}
		line("\nWhat decided: it was not so that\n  %s%s", v.Check, source)
	}
	for _, c := range v.Compared {
		line("\n%s", c.What)
		for _, e := range c.Expected {
			printParts(w, "expected", e.Parts)
		}
		if c.Nothing {
			line("  came      nothing")
		} else {
			printParts(w, "came", c.Came)
		}
	}
	if len(v.Facts) > 0 {
		line("")
	}
	for _, fact := range v.Facts {
		line("%s", fact)
	}
	if v.Mend != "" {
		line("\nHow to mend it:\n  %s", v.Mend)
	}
	if len(v.Sent) > 0 {
		line("\nWhat arrived:")
	}
	for _, s := range v.Sent {
		value := s.Text
		if s.Masked {
			value = fmt.Sprintf("(%s, %s)", s.Kind, count(s.Length, "byte", "bytes"))
		}
		if len(s.Notes) > 0 {
			value += "  ← " + strings.Join(s.Notes, "; ")
		}
		line("  %s: %s = %s", s.In, s.Name, value)
	}
	if v.More > 0 {
		line("  and %d more", v.More)
	}
}

// markable is how long a text may be for marks under it to stand where they should, in
// characters.
const markable = 100

// printParts prints a text with what differs marked: by ^ on the next line, or, where the
// text is too long for that, by brackets around it.
func printParts(w io.Writer, label string, parts []web.Part) {
	var text, marks, bracketed strings.Builder
	differs := false
	for _, p := range parts {
		s := printable(p.Text)
		n := utf8.RuneCountInString(s)
		text.WriteString(s)
		if !p.Differs {
			marks.WriteString(strings.Repeat(" ", n))
			bracketed.WriteString(s)
			continue
		}
		differs = true
		marks.WriteString(strings.Repeat("^", max(n, 1)))
		bracketed.WriteString("⟦" + s + "⟧")
	}
	switch {
	case differs && utf8.RuneCountInString(text.String()) > markable:
		fmt.Fprintf(w, "  %-8s  %s\n", label, bracketed.String())
	case differs:
		fmt.Fprintf(w, "  %-8s  %s\n  %-8s  %s\n", label, text.String(), "", strings.TrimRight(marks.String(), " "))
	default:
		fmt.Fprintf(w, "  %-8s  %s\n", label, text.String())
	}
}
