package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// Exit statuses.
const (
	exitOK    = 0
	exitFault = 1 // what was asked could not be done
	exitUsage = 2 // the command line, the environment or the file is wrong
)

// program is the whole command line.
type program struct {
	Demo       demoCmd       `cmd:"" help:"Try everything out: a server with sandbox accounts and one sandbox app."`
	Serve      serveCmd      `cmd:"" help:"Run the server."`
	App        appCmds       `cmd:"" help:"Register and look after apps."`
	Account    accountCmds   `cmd:"" help:"Make and look after accounts, the people of the API."`
	Connection connectionCmd `cmd:"" help:"List and end connections between accounts and apps."`
	Scope      scopeCmds     `cmd:"" help:"Say what scopes mean: what people read where they allow them."`
	Explain    explainCmd    `cmd:"" help:"Explain a request by its request_id: what arrived, which check decided, and how to mend it."`
	Key        keyCmds       `cmd:"" help:"List, rotate and retire the keys that seal and sign tokens."`
	Move       moveCmd       `cmd:"" help:"Move everything from a data directory to a PostgreSQL database, or back."`
	Backup     backupCmd     `cmd:"" help:"Copy the database of a data directory, while the server runs."`
	Restore    restoreCmd    `cmd:"" help:"Put a backup into a data directory."`
	Config     configCmd     `cmd:"" help:"Print what is in force and where each value came from."`
	Doctor     doctorCmd     `cmd:"" help:"Check what is configured, and say what is wrong and how to mend it."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// shell is what a command may reach of the world outside it.
type shell struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    lookup
	// sources says of each flag of the command where its value came from.
	sources map[string]string
	// file is the configuration file that was read, or empty.
	file string
	// scopes returns the scopes that are known to have a sentence in the configuration.
	scopes func() []symbolon.Scope
}

// lookup reads an environment variable, as os.LookupEnv does.
type lookup func(name string) (string, bool)

// exit carries a status out of the depths of the parser, which prints help and
// then wants the process to end.
type exit int

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env lookup) (status int) {
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(exit)
			if !ok {
				panic(r)
			}
			status = int(code)
		}
	}()
	sh := &shell{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	settings := newResolver(env)
	parser, err := newParser(settings, stdout, stderr)
	if err != nil {
		return sh.fail(err)
	}
	parsed, err := parser.Parse(spellings(args))
	if err != nil {
		sh.fail(usageError(err))
		return exitUsage
	}
	sh.sources, sh.file = settings.sources(parsed), settings.file
	sh.scopes = func() []symbolon.Scope { return settings.scopes(parsed) }
	if err := parsed.Run(sh); err != nil {
		return sh.fail(err)
	}
	return exitOK
}

// spellings turns what people try first into what the parser takes.
func spellings(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(append([]string{}, args[1:]...), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

func newParser(settings *resolver, stdout, stderr io.Writer) (*kong.Kong, error) {
	parser, err := kong.New(new(program),
		kong.Name("symbolon"),
		kong.Description("Symbolon is the OAuth 2 server that you put beside your API, so that platforms and apps connect to it on behalf of your users.\n\nBegin with: symbolon demo"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ValueFormatter(settings.describe),
		kong.Resolvers(settings),
		kong.ExplicitGroups(groups),
	)
	if err != nil {
		return nil, err
	}
	settings.learn(parser.Model)
	return parser, nil
}

// usageError adds to a wrong command line where help is to be had.
func usageError(err error) error {
	if setting, ok := errors.AsType[*settingError](err); ok {
		return setting.err // without the flag that the parser was at
	}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		at := "symbolon"
		if node := parse.Context.Selected(); node != nil {
			at = node.FullPath()
		}
		if _, ok := errors.AsType[*mendable](err); !ok {
			return mend(err, "run “%s --help” for what it takes", at)
		}
	}
	return err
}

// mendable is an error together with what to do about it.
type mendable struct {
	err  error
	hint string
}

func (m *mendable) Error() string { return m.err.Error() }
func (m *mendable) Unwrap() error { return m.err }

// mend adds to an error what to do about it.
func mend(err error, format string, args ...any) error {
	return &mendable{err: err, hint: fmt.Sprintf(format, args...)}
}

// fail prints an error and what mends it, and returns the status for it.
func (sh *shell) fail(err error) int {
	if reported, ok := errors.AsType[*reported](err); ok {
		return reported.status
	}
	for _, err := range unjoin(err) {
		fmt.Fprintf(sh.stderr, "symbolon: error: %s\n", oneLine(err.Error()))
		if hint := hintFor(err); hint != "" {
			fmt.Fprintf(sh.stderr, "symbolon: hint: %s\n", oneLine(hint))
		}
	}
	return exitFault
}

// reported is a failure of which the command has said everything itself.
type reported struct{ status int }

func (*reported) Error() string { return "reported" }

func hintFor(err error) string {
	if f, ok := errors.AsType[*admin.Fault](err); ok {
		return f.Hint
	}
	if m, ok := errors.AsType[*mendable](err); ok {
		return m.hint
	}
	switch {
	case errors.Is(err, symbolon.ErrMoved):
		return "use the database that it was moved to, with --database or --data. To go back to this one, as it was when it was moved: “symbolon move --undo”, with it in --from"
	case errors.Is(err, symbolon.ErrMoving):
		return "run the same “symbolon move” again: it goes on where it was"
	case errors.Is(err, symbolon.ErrNewer):
		return "use the newer program: this one does not know what is in there; “symbolon version” says which it is"
	}
	switch symbolon.KindOf(err) {
	case symbolon.Busy:
		return "nothing was done; the database is in use or its disk is full. Try again"
	case symbolon.Unknown:
		return "it cannot be known whether this was done. Look, then try again"
	case symbolon.Conflict:
		return "someone changed it meanwhile, or it is there already. Look at it, then try again"
	}
	return ""
}

// unjoin takes apart what errors.Join has joined, however deep.
func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
