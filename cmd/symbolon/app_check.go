package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
	"github.com/symbolon/symbolon/oauth"
)

// appCheckCmd holds an app to the rules of its profile, and of the others.
type appCheckCmd struct {
	appArg
	Profile *string `enum:"oauth2.1,fapi2,legacy" help:"Only this profile, and the exit status goes by it."`
	JSON    bool    `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (appCheckCmd) Help() string {
	return "Says of each rule whether the app's settings keep it, with the section where it stands and the command that mends it. " +
		"The exit status is 0 when the app keeps what its own profile asks.\n\nExample:\n\n    symbolon app check Make --profile fapi2"
}

// checkView is what is told of an app, as --json prints it.
type checkView struct {
	ClientID string        `json:"client_id"`
	Name     string        `json:"name"`
	Profile  string        `json:"profile"`
	OK       bool          `json:"ok"`
	Profiles []profileView `json:"profiles"`
}

// profileView is how an app stands to one profile.
type profileView struct {
	Profile   string           `json:"profile"`
	OK        bool             `json:"ok"`
	Rules     []ruleView       `json:"rules"`
	Loosened  []loosenedView   `json:"loosened,omitempty"`
	Run       string           `json:"run,omitempty"`
	own       bool             // it is the app's
	title     string           //
	standings []oauth.Standing // of each rule
}

// ruleView is how an app stands to one rule.
type ruleView struct {
	Name     string `json:"name"`
	Clause   string `json:"clause"`
	Rule     string `json:"rule"`
	Standing string `json:"standing"`
	Mend     string `json:"mend,omitempty"`
}

// loosenedView is a rule that the profile loosens.
type loosenedView struct {
	Name    string `json:"name"`
	Clause  string `json:"clause"`
	Rule    string `json:"rule"`
	InForce bool   `json:"in_force"`
}

// standings are the words for how an app stands to a rule.
var standings = map[oauth.Standing]string{
	oauth.Kept: "kept", oauth.KeptByServer: "server", oauth.Broken: "broken", oauth.CouldBeBetter: "advised", oauth.NotChosen: "choice",
}

// Run implements the command.
func (c *appCheckCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		app, err := d.app(sh, c.App)
		if err != nil {
			return err
		}
		v := checkView{ClientID: string(app.ID), Name: app.Name, Profile: app.Settings.Profile.String()}
		for _, profile := range admin.Profiles {
			if c.Profile != nil && admin.ParseProfile(*c.Profile) != profile {
				continue
			}
			p := viewProfile(&app, profile)
			if p.own || c.Profile != nil {
				v.OK = p.OK
			}
			v.Profiles = append(v.Profiles, p)
		}
		// Its own first: that is what it is held to.
		slices.SortStableFunc(v.Profiles, func(a, b profileView) int {
			switch {
			case a.own:
				return -1
			case b.own:
				return 1
			}
			return 0
		})
		if c.JSON {
			err = sh.printJSON(v)
		} else {
			v.print(sh)
		}
		if err == nil && !v.OK {
			err = &reported{status: exitFault}
		}
		return err
	})
}

// viewProfile holds an app to one profile.
func viewProfile(app *symbolon.App, profile symbolon.AppProfile) profileView {
	v := profileView{Profile: profile.String(), OK: true, Rules: []ruleView{}, own: app.Settings.Profile == profile, title: admin.ProfileTitles[profile]}
	v.OK = v.own || profile != symbolon.ProfileLegacy || app.Settings.Registration == nil
	for _, r := range oauth.RulesOf(profile, app) {
		standing := r.Of(app)
		rule := ruleView{Name: r.Name, Clause: r.Clause, Rule: r.Says, Standing: standings[standing]}
		if standing != oauth.Kept && standing != oauth.KeptByServer {
			if rule.Mend = r.Mend(app); strings.HasPrefix(rule.Mend, "-") {
				rule.Mend = "symbolon app edit " + string(app.ID) + " " + rule.Mend
			}
		}
		v.OK = v.OK && standing != oauth.Broken
		v.Rules, v.standings = append(v.Rules, rule), append(v.standings, standing)
	}
	if profile == symbolon.ProfileLegacy {
		as := *app
		as.Settings.Profile = profile
		for _, l := range oauth.Loosenings {
			v.Loosened = append(v.Loosened, loosenedView{Name: l.Name, Clause: l.Clause, Rule: l.Says, InForce: l.InForce(&as)})
		}
	}
	if !v.own && app.Settings.Registration == nil {
		v.Run = changeTo(app, profile)
	}
	return v
}

// changeTo is the command that gives an app a profile, with all that the profile does not
// set by itself; or empty when no command can.
func changeTo(app *symbolon.App, profile symbolon.AppProfile) string {
	as := *app
	admin.AdoptProfile(&as, profile.String())
	command := []string{"symbolon app edit", string(app.ID), "--profile", profile.String()}
	for _, r := range oauth.RulesOf(profile, &as) {
		if r.Of(&as) != oauth.Broken {
			continue
		}
		flags := r.Mend(&as)
		if !strings.HasPrefix(flags, "-") {
			return ""
		}
		command = append(command, flags)
	}
	return strings.Join(command, " ")
}

// print prints what is told for people.
func (v *checkView) print(sh *shell) {
	p := sh.paint()
	marks := map[oauth.Standing]string{
		oauth.Kept: p.in("32", "kept   "), oauth.KeptByServer: p.in("32", "server "), oauth.Broken: p.in("31", "broken "),
		oauth.CouldBeBetter: p.in("33", "advised"), oauth.NotChosen: p.dim("choice "),
	}
	fmt.Fprintf(sh.stdout, "%s (%s) has the profile %s.\n", p.bold(printable(v.Name)), v.ClientID, p.bold(v.Profile))
	for i := range v.Profiles {
		profile := &v.Profiles[i]
		fmt.Fprintf(sh.stdout, "\n%s  %s: %s\n", p.bold(profile.Profile), profile.title, profile.verdict())
		width := 0
		for _, r := range profile.Rules {
			width = max(width, len([]rune(r.Clause)))
		}
		for _, l := range profile.Loosened {
			width = max(width, len([]rune(l.Clause)))
		}
		server := 0
		for i, r := range profile.Rules {
			if profile.standings[i] == oauth.KeptByServer && !profile.own && len(v.Profiles) > 1 {
				server++
				continue
			}
			fmt.Fprintf(sh.stdout, "  %s  %-*s  %s\n", marks[profile.standings[i]], width, r.Clause, r.Rule)
			if r.Mend != "" && (profile.own || profile.standings[i] == oauth.Broken || len(v.Profiles) == 1) {
				fmt.Fprintf(sh.stdout, "  %*s→ %s\n", 7+2+width+2, "", printable(r.Mend))
			}
		}
		if server > 0 {
			fmt.Fprintf(sh.stdout, "  %s  and %s that the server keeps for every app of this profile: see --profile %s\n", marks[oauth.KeptByServer], count(server, "rule", "rules"), profile.Profile)
		}
		for _, l := range profile.Loosened {
			mark := p.in("33", "loose  ")
			if !l.InForce {
				mark = p.dim("unused ")
			}
			fmt.Fprintf(sh.stdout, "  %s  %-*s  %s\n", mark, width, l.Clause, l.Rule)
		}
		if !profile.own && len(v.Profiles) == 1 && len(profile.Rules) > 0 {
			fmt.Fprintf(sh.stdout, "  The server keeps what is its own part once the app has the profile.\n")
		}
		switch {
		case profile.Run != "":
			fmt.Fprintf(sh.stdout, "  To change to it: %s\n", printable(profile.Run))
		case !profile.own:
			fmt.Fprintf(sh.stdout, "  This app cannot change to it.\n")
		}
	}
}

// verdict says in a few words how the app stands to a profile.
func (v *profileView) verdict() string {
	n := make(map[oauth.Standing]int)
	for _, s := range v.standings {
		n[s]++
	}
	if len(v.Rules) == 0 {
		loose := 0
		for _, l := range v.Loosened {
			if l.InForce {
				loose++
			}
		}
		if v.own {
			return fmt.Sprintf("%s loosened for this app", count(loose, "rule is", "rules are"))
		}
		return fmt.Sprintf("%s would be loosened for this app", count(loose, "rule", "rules"))
	}
	if broken := n[oauth.Broken]; broken > 0 {
		return fmt.Sprintf("%s by this app's settings", count(broken, "rule is broken", "rules are broken"))
	}
	if better := n[oauth.CouldBeBetter]; better > 0 {
		return fmt.Sprintf("kept; %s not followed", count(better, "piece of advice is", "pieces of advice are"))
	}
	return "kept"
}
