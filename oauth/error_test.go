package oauth

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"pgregory.net/rapid"
)

// checkDescription holds one description to RFC 6749 §5.2 and to the house: the
// allowed characters, one sentence, something to act on.
func checkDescription(t rapid.TB, s string) {
	t.Helper()
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			t.Errorf("the description %q has the character %q", s, c)
		}
	}
	switch {
	case len(s) < 15:
		t.Errorf("the description %q says too little", s)
	case s[0] < 'A' || s[0] > 'Z' && s[0] < 'a', s[0] > 'z':
		t.Errorf("the description %q does not begin like a sentence", s)
	case !strings.HasSuffix(s, ".") || strings.Contains(s, ". ") || strings.HasSuffix(s, ".."):
		t.Errorf("the description %q is not one sentence", s)
	}
}

// RFC6749-5.2-e, RFC6749-4.1.2.1-d: every description that stands in the source,
// whether a test comes by it or not.
func TestDescriptions(t *testing.T) {
	files := token.NewFileSet()
	seen := 0
	check := func(n ast.Expr) {
		where := files.Position(n.Pos())
		text, ok := constant(n)
		if !ok {
			return
		}
		if !strings.HasSuffix(text, ".") || !strings.Contains(text, " ") {
			return // a field name or the like
		}
		seen++
		t.Run(fmt.Sprintf("%s:%d", where.Filename, where.Line), func(t *testing.T) { checkDescription(t, text) })
	}
	for _, file := range source(t, files, false) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name, ok := n.Fun.(*ast.Ident)
				if !ok || name.Name != "refuse" && name.Name != "no" {
					return true
				}
				description := n.Args[len(n.Args)-1]
				switch text, ok := constant(description); {
				case ok && text == "":
					t.Errorf("%s: an empty description", files.Position(n.Pos()))
				case ok:
					check(description)
				default:
					// What is put together may come only from names of
					// parameters and the fixed faults, or from our own functions.
					for _, part := range operands(description) {
						if id, ok := part.(*ast.Ident); ok && id.Name != "name" && id.Name != "fault" && id.Name != "why" && id.Name != "description" {
							t.Errorf("%s: the description holds the variable %s; may it repeat what was sent?", files.Position(n.Pos()), id.Name)
						}
						if s, ok := part.(*ast.SelectorExpr); ok && s.Sel.Name != "fault" {
							t.Errorf("%s: the description holds %s; may it repeat what was sent?", files.Position(n.Pos()), s.Sel.Name)
						}
					}
				}
			case *ast.ReturnStmt: // readChallenge and checkVerifier
				for _, r := range n.Results {
					check(r)
				}
			case *ast.AssignStmt:
				for _, r := range n.Rhs {
					check(r)
				}
			case *ast.KeyValueExpr:
				check(n.Value)
			}
			return true
		})
	}
	if seen < 40 {
		t.Errorf("only %d descriptions were found: the test looks in the wrong place", seen)
	}
}

// source parses this package's files, or those of its tests.
func source(t testing.TB, files *token.FileSet, tests bool) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, file)
	}
	return list
}

func constant(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func operands(e ast.Expr) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok {
		return append(operands(b.X), operands(b.Y)...)
	}
	return []ast.Expr{e}
}

// The descriptions that are put together from a name and a fault.
func TestDescriptionsOfFaults(t *testing.T) {
	for _, name := range append(append([]string{}, authorizeNames...), tokenNames...) {
		for _, fault := range []string{faultRepeated, faultEscape, faultCharacter, faultType} {
			checkDescription(t, "The parameter "+name+" "+fault+".")
		}
	}
}

func TestEveryRefusalHasACode(t *testing.T) {
	for r := ServerError; int(r) < len(codes); r++ {
		if codes[r] == "" || strings.ToLower(r.Code()) != r.Code() {
			t.Errorf("the refusal %d has the code %q", r, codes[r])
		}
	}
	if RequestURINotSupported+1 != Refusal(len(codes)) {
		t.Errorf("%d refusals and %d codes", RequestURINotSupported+1, len(codes))
	}
}

// RFC6749-5.2-f: what may succeed later is never a refusal.
func TestStoreErrors(t *testing.T) {
	for kind, want := range map[symbolon.Kind]Refusal{
		symbolon.Busy: Unavailable, symbolon.Unknown: Unavailable, symbolon.Internal: ServerError,
		symbolon.Invalid: ServerError, symbolon.Conflict: ServerError, symbolon.NotFound: ServerError,
	} {
		cause := symbolon.Errorf(kind, "store", "secret detail")
		e := storeError(fmt.Errorf("around: %w", cause))
		if e.Refusal != want || (e.RetryAfter > 0) != (want == Unavailable) {
			t.Errorf("%v becomes %v, to be tried again after %v", kind, e.Refusal.Code(), e.RetryAfter)
		}
		checkDescription(t, e.Description)
		if strings.Contains(e.Description, "secret detail") {
			t.Errorf("the developer is told the store's detail: %s", e.Description)
		}
		if !strings.Contains(e.Error(), "secret detail") {
			t.Errorf("the log is not told the store's detail: %s", e.Error())
		}
	}
	own := refuse(InvalidGrant, "The code has expired.").from("c").detail("d")
	if storeError(own) != own {
		t.Error("an error of this package becomes another")
	}
}

// Each refusal has a code, and a name of its own, by which an operator tells apart
// what the code does not.
func TestNamesOfRefusals(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range Refusals() {
		if r.Code() == "" || r.String() == "" || seen[r.String()] {
			t.Errorf("refusal %d has the code %q and the name %q", r, r.Code(), r.String())
		}
		seen[r.String()] = true
	}
	if last := Refusals()[len(Refusals())-1]; last != RequestURINotSupported {
		t.Errorf("the last refusal is %v", last)
	}
}
