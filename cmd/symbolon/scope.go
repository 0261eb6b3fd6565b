package main

import (
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// scopeCmds are the commands for what is said of scopes.
type scopeCmds struct {
	List   scopeListCmd   `cmd:"" help:"List the scopes that have a sentence."`
	Set    scopeSetCmd    `cmd:"" help:"Give a scope its sentence."`
	Remove scopeRemoveCmd `cmd:"" help:"Take away what was said of a scope."`
}

// scopeView is a scope as --json prints it.
type scopeView struct {
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Translations map[string]string `json:"translations,omitempty"`
	From         string            `json:"from"`
	Fixed        bool              `json:"fixed"`
}

// fromWords are the words for whose word a scope's sentences are.
var fromWords = map[string]string{admin.FromServer: "the server", admin.FromConfiguration: "the configuration", admin.FromOperator: "an operator"}

// scopeListCmd lists the scopes.
type scopeListCmd struct {
	place
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Help implements kong.HelpProvider.
func (scopeListCmd) Help() string { return "Example:\n\n    symbolon scope list" }

// Run implements the command.
func (c *scopeListCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		list, err := d.speaking(sh).Offered(sh.ctx)
		if err != nil {
			return err
		}
		views, rows := []scopeView{}, [][]string{{"SCOPE", "SENTENCE", "FROM"}}
		for _, s := range list {
			views = append(views, scopeView{s.Name, s.Description, s.Local, s.From, s.Fixed})
			rows = append(rows, []string{s.Name, s.Description, fromWords[s.From]})
		}
		if c.JSON {
			return sh.printJSON(views)
		}
		return sh.printTable(rows)
	})
}

// scopeSetCmd gives a scope its sentence.
type scopeSetCmd struct {
	place
	Name     string            `arg:"" help:"The scope, as your API knows it."`
	Sentence string            `arg:"" help:"What people read, in English."`
	In       map[string]string `mapsep:"none" placeholder:"LANG=SENTENCE" help:"The same in another language. Repeat it for several."`
	JSON     bool              `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (scopeSetCmd) Help() string {
	return "It counts at once, on every node, and replaces what was said of the scope before. A scope that stands in the configuration is changed there; where a node has a configuration that this command cannot see, that node says what stands in it.\n\nExample:\n\n    symbolon scope set reports.read \"see your reports\" --in cs=\"vidět vaše přehledy\""
}

// Run implements the command.
func (c *scopeSetCmd) Run(sh *shell) error {
	return c.with(sh, true, func(d *desk) error {
		scope := symbolon.Scope{Name: c.Name, Description: c.Sentence, Local: c.In}
		if err := d.speaking(sh).SetScope(sh.ctx, operator, "", scope); err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(scopeView{Name: c.Name, Description: c.Sentence, Translations: c.In, From: admin.FromOperator})
		}
		fmt.Fprintf(sh.stdout, "The scope %s has its sentence: %s\n", c.Name, printable(c.Sentence))
		return nil
	})
}

// scopeRemoveCmd takes away what was said of a scope.
type scopeRemoveCmd struct {
	place
	Name string `arg:"" help:"The scope."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help implements kong.HelpProvider.
func (scopeRemoveCmd) Help() string {
	return "Apps that have the scope keep it; people then read its name alone.\n\nExample:\n\n    symbolon scope remove reports.read"
}

// Run implements the command.
func (c *scopeRemoveCmd) Run(sh *shell) error {
	return c.with(sh, false, func(d *desk) error {
		if err := d.speaking(sh).RemoveScope(sh.ctx, operator, "", c.Name); err != nil {
			return err
		}
		if c.JSON {
			return sh.printJSON(map[string]any{"name": c.Name, "removed": true})
		}
		fmt.Fprintf(sh.stdout, "Nothing is said of the scope %s any more.\n", printable(c.Name))
		return nil
	})
}
