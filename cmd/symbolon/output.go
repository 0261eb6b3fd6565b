package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/admin"
)

// printJSON prints one value on one line.
func (sh *shell) printJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := sh.stdout.Write(b.Bytes())
	return err
}

// printTable prints rows in columns. The first row is the heading.
func (sh *shell) printTable(rows [][]string) error {
	w := tabwriter.NewWriter(sh.stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// printable is a text from the store as a terminal may show it: whatever could
// move the cursor or turn the line around is spelled out.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if admin.Unfit(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// when is a time as people read it.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// stamp is a time as programs read it: null while it is zero.
type stamp = admin.Stamp

// terminal returns the file behind a stream when a person sits before it.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// confirm asks whether something that cannot be undone shall be done. Yes
// answers beforehand, which is the only way where no one sits at a terminal.
func (sh *shell) confirm(yes bool, word, what string) error {
	if yes {
		return nil
	}
	if _, ok := terminal(sh.stdin); !ok {
		return mend(fmt.Errorf("%s cannot be undone, and there is no terminal to ask at", what), "add --yes")
	}
	fmt.Fprintf(sh.stderr, "%s cannot be undone. Type %q to go on: ", upperFirst(what), word)
	line, err := sh.readLine()
	if err != nil {
		return err
	}
	if line != word {
		return fmt.Errorf("nothing was done: that was not %q", word)
	}
	return nil
}

// readLine reads one line without its end.
func (sh *shell) readLine() (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(sh.stdin, 4096)).ReadString('\n')
		if err == io.EOF && line != "" {
			err = nil
		}
		got <- answer{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-sh.ctx.Done():
		return "", fmt.Errorf("nothing was done: interrupted")
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func whenStamp(s stamp) string { return when(time.Time(s)) }

// detail is the sentence of an error of ours, without what was being done.
func detail(err error) string {
	if e, ok := errors.AsType[*symbolon.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return err.Error()
}
