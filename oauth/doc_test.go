package oauth

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// steps are the methods behind the columns of the table in doc.go.
var steps = []struct{ number, method, file string }{
	{"1", "Authorize", "authorize.go"}, {"3", "Token", "token.go"}, {"4", "Info", "info.go"}, {"5", "Refresh", "refresh.go"}, {"6", "Invalidate", "invalidate.go"},
}

// The table in the package's comment says what the code does, and all of it.
func TestTheTableOfRules(t *testing.T) {
	files := token.NewFileSet()
	functions := make(map[string][]*ast.FuncDecl) // by name
	where := make(map[string]string)              // step → file
	var doc string
	for _, file := range source(t, files, false) {
		if file.Doc != nil {
			doc += file.Doc.Text()
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			functions[f.Name.Name] = append(functions[f.Name.Name], f)
			if receiver(f) == "Engine" {
				where[f.Name.Name] = files.Position(f.Pos()).Filename
			}
		}
	}
	rules := regexp.MustCompile(`(?m)^\t(.{44,}?) {2,}(\w+) +([x.])  ([x.])  ([x.])  ([x.])  ([x.])$`).FindAllStringSubmatch(doc, -1)
	if len(rules) < 20 {
		t.Fatalf("%d rules are read from the table; is it laid out in another way?", len(rules))
	}
	for column, step := range steps {
		if where[step.method] != step.file {
			t.Errorf("step %s, Engine.%s, is in %q, not in %s", step.number, step.method, where[step.method], step.file)
		}
		if !regexp.MustCompile(`(?m)^\t` + step.number + `  .* ` + step.file + ` +Engine\.` + step.method + `\b`).MatchString(doc) {
			t.Errorf("the comment does not say that step %s is Engine.%s in %s", step.number, step.method, step.file)
		}
		used := reached(functions, step.method)
		for _, rule := range rules {
			said, does := rule[3+column] == "x", used[rule[2]]
			if said && !does {
				t.Errorf("step %s does not keep the rule %q: nothing there uses %s", step.number, strings.TrimSpace(rule[1]), rule[2])
			}
			if !said && does {
				t.Errorf("step %s keeps the rule %q by %s, and the table does not say so", step.number, strings.TrimSpace(rule[1]), rule[2])
			}
		}
	}
}

// The package's comment names every grant and what an endpoint is, in the file
// where it is.
func TestTheStandardSurface(t *testing.T) {
	files := token.NewFileSet()
	where := make(map[string]string) // method → file
	var doc string
	for _, file := range source(t, files, false) {
		if file.Doc != nil {
			doc += file.Doc.Text()
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && receiver(f) == "Engine" {
				where[f.Name.Name] = files.Position(f.Pos()).Filename
			}
		}
	}
	said := make(map[string]bool)
	rows := regexp.MustCompile(`(?m)^\t(/\S+|[a-z_-]+) +(\w+\.go) +(?:Engine\.)?(\w+)`).FindAllStringSubmatch(doc, -1)
	for _, row := range rows {
		said[row[1]], said[row[3]] = true, true
		if where[row[3]] != row[2] {
			t.Errorf("%s: Engine.%s is in %q, not in %s", row[1], row[3], where[row[3]], row[2])
		}
	}
	if len(rows) != 14+len(Grants) {
		t.Errorf("%d rows are read; are they laid out in another way?", len(rows))
	}
	for _, g := range Grants {
		if name := string(g)[strings.LastIndexByte(string(g), ':')+1:]; !said[name] {
			t.Errorf("the comment does not say where the grant %s is", name)
		}
	}
	// What is no endpoint, or is named beside one.
	also := map[string]bool{
		"Callback": true, "Issuer": true, "Now": true, "Ready": true, "Rest": true, "App": true, "KnowsOrigin": true, "Nonce": true, "Answer": true, "SubjectOf": true, "KeyGeneration": true,
		"Info": true, "Refresh": true, "Invalidate": true, "Registered": true, "Reregister": true, "Unregister": true, "Expire": true, "SignOut": true, "End": true, "EndConnection": true, "Health": true, "Watch": true, "TellExpiring": true,
		"Handoff": true, "Used": true, "SetPassword": true, "ChangedEverywhere": true, "RecordUses": true,
	}
	for method, file := range where {
		if ast.IsExported(method) && !said[method] && !also[method] {
			t.Errorf("Engine.%s in %s is new: the comment does not say which endpoint it is", method, file)
		}
	}
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return ""
	}
	id, ok := star.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return id.Name
}

// reached returns every identifier in a step and in all that it calls within
// the package, but not in another step.
func reached(functions map[string][]*ast.FuncDecl, step string) map[string]bool {
	used := make(map[string]bool)
	done := make(map[*ast.FuncDecl]bool)
	other := make(map[string]bool)
	for _, s := range steps {
		other[s.method] = s.method != step
	}
	var visit func(f *ast.FuncDecl)
	visit = func(f *ast.FuncDecl) {
		// What the feed does within is its own, and no step makes an engine: New
		// is a field's name, too, as app is a variable's, not what metadata makes.
		if done[f] || receiver(f) == "Feed" || receiver(f) == "metadata" || f.Name.Name == "New" {
			return
		}
		done[f] = true
		types := make(map[*ast.Ident]bool) // of what is made: a caller is no call
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if made, ok := n.(*ast.CompositeLit); ok {
				if id, ok := made.Type.(*ast.Ident); ok {
					types[id] = true
				}
			}
			id, ok := n.(*ast.Ident)
			if !ok || types[id] {
				return true
			}
			used[id.Name] = true
			if other[id.Name] {
				return true // Token answers a refresh by calling step 5
			}
			for _, called := range functions[id.Name] {
				visit(called)
			}
			return true
		})
	}
	for _, f := range functions[step] {
		if receiver(f) == "Engine" {
			visit(f)
		}
	}
	return used
}

// Rule 2 of the house: a step is 90 lines at most.
func TestStepsAreShort(t *testing.T) {
	files := token.NewFileSet()
	for _, file := range source(t, files, false) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || receiver(f) != "Engine" || !f.Name.IsExported() {
				continue
			}
			if lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; lines > 90 {
				t.Errorf("Engine.%s has %d lines: a step is read from top to bottom, so 90 are the limit", f.Name.Name, lines)
			}
		}
	}
}
