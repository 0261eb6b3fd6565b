package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/symbolon/symbolon"
)

// doctorCmd checks a server from outside.
type doctorCmd struct {
	settings
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (doctorCmd) Help() string {
	return "It takes the same flags, environment and file as serve, and what is in none of them from the server that runs on the data directory. It changes nothing. The exit status is 1 when something is broken.\n\nExample:\n\n    symbolon doctor --data /var/lib/symbolon"
}

// How grave a finding is.
const (
	fine    = "ok"
	warning = "warning" // it works, and may not for long, or not safely
	broken  = "broken"
)

// finding is what one check found.
type finding struct {
	// Check names what was looked at.
	Check string `json:"check"`
	// Status is ok, warning or broken.
	Status string `json:"status"`
	// Detail says in plain words what is so.
	Detail string `json:"detail"`
	// Mend says what to do, when something is.
	Mend string `json:"mend,omitempty"`
}

// diagnosis is all that the checks found.
type diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

func (d *diagnosis) add(check, status, mend, format string, args ...any) {
	d.Findings = append(d.Findings, finding{Check: check, Status: status, Detail: fmt.Sprintf(format, args...), Mend: mend})
}

// fault adds a finding for an error, with what mends it.
func (d *diagnosis) fault(check, status string, err error) {
	d.add(check, status, hintFor(err), "%s", oneLine(err.Error()))
}

// Run implements the command.
func (c *doctorCmd) Run(sh *shell) error {
	d := &diagnosis{OK: true}
	c.examine(sh, d)
	for _, f := range d.Findings {
		d.OK = d.OK && f.Status != broken
	}
	if err := c.print(sh, d); err != nil {
		return err
	}
	if !d.OK {
		return &reported{status: exitFault}
	}
	return nil
}

func (c *doctorCmd) print(sh *shell, d *diagnosis) error {
	if c.JSON {
		return sh.printJSON(d)
	}
	p := sh.paint()
	mark := map[string]string{fine: p.in("32", "ok     "), warning: p.in("33", "warning"), broken: p.in("31", "broken ")}
	for _, f := range d.Findings {
		fmt.Fprintf(sh.stdout, "%s  %-9s  %s\n", mark[f.Status], f.Check, printable(f.Detail))
		if f.Mend != "" {
			fmt.Fprintf(sh.stdout, "%20s→ %s\n", "", printable(f.Mend))
		}
	}
	return nil
}

// examine makes every check that the ones before it leave possible.
func (c *doctorCmd) examine(sh *shell, d *diagnosis) {
	if !c.checkDir(d) {
		c.checkSettings(sh, d, false)
		return
	}
	c.checkDisk(d)
	db, err := c.openDatabase(sh.ctx, opening{})
	if err != nil {
		d.fault("database", broken, c.openHint(err))
		c.checkSettings(sh, d, false)
		return
	}
	defer db.close()
	m, err := db.mark(sh.ctx)
	if err != nil {
		d.fault("database", broken, c.openHint(err))
		return
	}
	c.checkSettings(sh, d, m.Sandbox)
	if !m.Sandbox {
		c.checkTLS(d, time.Now())
	}
	c.checkDatabase(sh.ctx, d, db, m)
	keys, err := db.Keys(sh.ctx, nil, false)
	if err != nil {
		d.fault("keys", broken, err)
		return
	}
	c.checkKeys(sh, d, keys)
	m.Used = len(keys) > 0
	c.checkMark(d, m)
	c.checkApps(sh, d, &desk{dir: c.Data, store: db}, m.Sandbox)
	c.checkServer(sh.ctx, d)
}

func (c *doctorCmd) openHint(err error) error {
	if _, ok := errors.AsType[*mendable](err); ok {
		return err
	}
	if symbolon.KindOf(err) == symbolon.Denied || symbolon.KindOf(err) == symbolon.NotFound {
		err = &explained{wrong: detail(err), err: err}
	}
	switch {
	case symbolon.KindOf(err) == symbolon.NotFound && c.Database != "":
		return mend(err, "“symbolon serve” makes them when it first starts")
	case symbolon.KindOf(err) == symbolon.Busy && c.Database != "":
		return mend(err, "look whether PostgreSQL runs at %s, whether this machine may reach it, and whether user and password are right; a server that runs says only the URL without its password: give it with --database", publicURL(c.Database))
	case symbolon.KindOf(err) == symbolon.Busy:
		return mend(err, "free the disk, or the lock; if the file is damaged, put back the latest backup (symbolon restore); the root key stays")
	}
	return err
}

// checkSettings holds the settings to what serve demands of them.
func (c *doctorCmd) checkSettings(sh *shell, d *diagnosis, sandbox bool) {
	if sandbox {
		return // the demo takes none of them
	}
	_, err := c.check()
	if err == nil {
		told := ""
		if sh.sources["base_url"] == fromRunning {
			told = ", from the running server"
		}
		d.add("settings", fine, "", "base URL %s, listening on %s%s", c.BaseURL, c.Listen, told)
		if port := c.otherPort(); port != "" {
			d.add("settings", warning, fmt.Sprintf(otherPortMend, port), "%s", otherPort)
		}
		if c.hidesCallers() {
			d.add("settings", warning, hidesCallersMend, "%s", hidesCallers)
		}
		return
	}
	for _, fault := range unjoin(err) {
		d.fault("settings", broken, fault)
	}
}

// checkKeys looks whether the root key opens the keys.
func (c *doctorCmd) checkKeys(sh *shell, d *diagnosis, keys []symbolon.Key) {
	source := findRoot(c.Data, c.RootKeyFile, sh.env)
	if len(keys) == 0 {
		_, err := source.read()
		switch {
		case err == nil:
			d.add("root key", fine, "", "it is in %s; no server has used it yet", source.what)
		case errors.Is(err, errNoRoot) && !source.given:
			d.add("root key", fine, "", "there is none yet: the server makes one when it first starts")
		default:
			d.fault("root key", broken, err)
		}
		return
	}
	opened, err := source.ringsOf(keys)
	if err != nil {
		d.fault("root key", broken, err)
		return
	}
	if roots := opened.roots; len(roots) > 1 {
		d.add("root key", warning, "run “symbolon key rotate --root” again", "%s holds %d root keys: a rotation was cut short", source.what, len(roots))
	} else {
		d.add("root key", fine, "", "it is in %s, and opens %s", source.what, count(len(keys), "key", "keys"))
	}
}

// checkMark compares the clock and the database with the mark.
func (c *doctorCmd) checkMark(d *diagnosis, db databaseMark) {
	m, err := readMark(c.Data)
	warnings := compareMark(m, err, db, time.Now())
	for _, w := range warnings {
		d.add("mark", warning, "", "%s", w)
	}
	if len(warnings) == 0 {
		d.add("mark", fine, "", "the clock and the database are not behind what was last used")
	}
}

// checkServer asks a server that runs on the directory whether it is ready.
func (c *doctorCmd) checkServer(ctx context.Context, d *diagnosis) {
	r, runs := whoRuns(c.Data)
	if !runs {
		d.add("server", fine, "", "none runs on this directory")
		return
	}
	if err := askReady(ctx, r); err != nil {
		d.add("server", broken, "look at its log", "process %d runs on %s and is not ready: %s", r.PID, r.Listen, oneLine(err.Error()))
		return
	}
	d.add("server", fine, "", "process %d runs on %s and is ready", r.PID, r.Listen)
}
