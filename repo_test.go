package symbolon_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The rules of this repository, each with its reason in the message.

const module = "github.com/symbolon/symbolon"

// goFile is one parsed file of the repository.
type goFile struct {
	path string // within the repository, with slashes
	text []byte
	tree *ast.File
}

func (f *goFile) dir() string  { return path.Dir(f.path) }
func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

var files = token.NewFileSet()

// repository returns every file by its path, without what is built or fetched.
func repository(t *testing.T) map[string][]byte {
	t.Helper()
	all, err := readRepository()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var readRepository = sync.OnceValues(func() (map[string][]byte, error) {
	skip := map[string]bool{".git": true, "bin": true, ".demo": true, "node_modules": true, ".tools": true}
	all := make(map[string][]byte)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skip[entry.Name()]:
			return filepath.SkipDir
		case skip[entry.Name()]: // in a linked worktree, .git is a file
			return nil
		case !entry.Type().IsRegular() || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".out"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(name)] = text
		return nil
	})
	return all, err
})

func goFiles(t *testing.T) []*goFile {
	t.Helper()
	list, err := parseRepository()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d files were found", len(list))
	}
	return list
}

var parseRepository = sync.OnceValues(func() ([]*goFile, error) {
	all, err := readRepository()
	if err != nil {
		return nil, err
	}
	var list []*goFile
	for name, text := range all {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			continue
		}
		tree, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		list = append(list, &goFile{name, text, tree})
	}
	slices.SortFunc(list, func(a, b *goFile) int { return strings.Compare(a.path, b.path) })
	return list, nil
})

func imports(f *goFile) []string {
	var list []string
	for _, i := range f.tree.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err == nil {
			list = append(list, name)
		}
	}
	return list
}

// inModule returns the package's directory, when an import is one of ours.
func inModule(name string) (string, bool) {
	if name == module {
		return ".", true
	}
	return strings.CutPrefix(name, module+"/")
}

func TestImportsRunOneWay(t *testing.T) {
	// What a package may import of this module, and of others. A package that is
	// not listed is new: decide where it lies.
	type may struct{ ours, others []string }
	allowed := map[string]may{
		".":       {},
		"seal":    {ours: []string{"."}, others: []string{"github.com/tink-crypto/tink-go/v2/daead/subtle"}},
		"oauth":   {ours: []string{".", "seal", "jwt"}},
		"fetch":   {ours: []string{"."}},
		"gather":  {ours: []string{"."}},
		"outbox":  {ours: []string{"."}},
		"webhook": {ours: []string{".", "seal"}},
		"metrics": {ours: []string{".", "gather", "outbox"}, others: []string{"github.com/prometheus/client_golang/prometheus", "github.com/prometheus/client_golang/prometheus/collectors", "github.com/prometheus/client_golang/prometheus/promhttp"}},
		"traces": {ours: []string{".", "gather"}, others: []string{"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/propagation",
			"go.opentelemetry.io/otel/sdk/resource", "go.opentelemetry.io/otel/sdk/trace", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1",
			"go.opentelemetry.io/proto/slim/otlp/common/v1", "go.opentelemetry.io/proto/slim/otlp/resource/v1", "go.opentelemetry.io/proto/slim/otlp/trace/v1", "google.golang.org/protobuf/proto"}},
		"jwt":    {ours: []string{".", "seal"}, others: []string{"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/json"}},
		"signin": {ours: []string{"."}, others: []string{"github.com/go-webauthn/webauthn/protocol", "github.com/go-webauthn/webauthn/protocol/webauthncose", "github.com/go-webauthn/webauthn/webauthn", "github.com/pquerna/otp", "github.com/pquerna/otp/hotp", "golang.org/x/crypto/argon2", "golang.org/x/text/secure/precis", "golang.org/x/text/unicode/norm"}},
		"sqlite": {ours: []string{".", "gather"}, others: []string{"modernc.org/sqlite", "modernc.org/sqlite/lib", "github.com/pressly/goose/v3", "golang.org/x/sys/unix"}},
		"postgres": {ours: []string{".", "gather"}, others: []string{"github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/pgconn",
			"github.com/jackc/pgx/v5/pgxpool", "github.com/jackc/pgx/v5/stdlib", "github.com/pressly/goose/v3", "github.com/pressly/goose/v3/lock"}},
		"move":                 {ours: []string{"."}},
		"storetest":            {ours: []string{"."}},
		"internal/softkey":     {},
		"internal/pgtest":      {others: []string{"github.com/jackc/pgx/v5"}},
		"internal/browsertest": {others: []string{"github.com/chromedp/chromedp"}},
		"trail":                {ours: []string{"."}},
		"admin":                {ours: []string{".", "seal", "jwt", "oauth", "oidc", "webhook"}, others: []string{"golang.org/x/text/language"}},
		"mail":                 {ours: []string{"."}, others: []string{"github.com/wneessen/go-mail"}},
		"upstream":             {ours: []string{"."}, others: []string{"github.com/coreos/go-oidc/v3/oidc", "golang.org/x/oauth2"}},
		"web":                  {ours: []string{".", "admin", "seal", "jwt", "mail", "oauth", "oidc", "signin", "trail", "upstream"}, others: []string{"github.com/pelletier/go-toml/v2", "golang.org/x/net/idna", "golang.org/x/text/feature/plural", "golang.org/x/text/language"}},
		"cmd/symbolon":         {ours: []string{".", "admin", "fetch", "mail", "outbox", "upstream", "seal", "jwt", "oauth", "oidc", "signin", "sqlite", "postgres", "move", "metrics", "trail", "traces", "web", "webhook"}, others: []string{"github.com/alecthomas/kong", "github.com/pelletier/go-toml/v2", "golang.org/x/sys/unix", "golang.org/x/term"}},
		// What APIs import has none of our packages, so that it can promise what they do not.
		"bearer":           {others: []string{"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/json"}},
		"docs/first-app":   {},
		"docs/example-api": {ours: []string{"bearer"}},
		"docs/handoff":     {others: []string{"github.com/go-jose/go-jose/v4"}},

		"bench": {ours: []string{".", "seal", "sqlite", "postgres", "internal/pgtest"}, others: []string{"github.com/go-jose/go-jose/v4", "github.com/jackc/pgx/v5", "modernc.org/sqlite"}},
		"oidc":  {ours: []string{".", "jwt", "oauth"}},
		"e2e":   {ours: []string{"internal/pgtest"}},
	}
	// The engine is pure, and the root and the stores know nothing of HTTP.
	forbidden := map[string][]string{
		".":         {"net/http", "database/sql", "log", "log/slog", "os", "net", "unsafe"},
		"seal":      {"net/http", "database/sql", "log", "log/slog", "os"},
		"oauth":     {"net/http", "database/sql", "log", "log/slog", "os", "net", "html/template"},
		"admin":     {"net/http", "database/sql", "log", "log/slog", "os", "html/template"},
		"fetch":     {"database/sql", "log", "log/slog", "os"},
		"gather":    {"net/http", "database/sql", "log", "log/slog", "os"},
		"move":      {"net/http", "database/sql", "log", "log/slog", "os"},
		"metrics":   {"database/sql", "log", "log/slog", "os"},
		"traces":    {"database/sql", "log", "log/slog", "os"},
		"sqlite":    {"net/http", "log", "html/template"},
		"postgres":  {"net/http", "log", "html/template", "os"},
		"storetest": {"net/http", "database/sql", "log", "log/slog"},
		"web":       {"database/sql"},
		"bearer":    {"database/sql", "os"},
	}
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		rule, known := allowed[f.dir()]
		if !known {
			t.Errorf("%s: the package is new; say in repo_test.go what it may import, so that imports go on running one way", f.path)
			continue
		}
		for _, name := range imports(f) {
			if dir, ours := inModule(name); ours {
				if !slices.Contains(rule.ours, dir) {
					t.Errorf("%s imports %s: imports run one way, root ← seal ← jwt ← oauth ← web ← cmd, and stores import the root and gather only", f.path, name)
				}
				continue
			}
			if strings.Contains(strings.SplitN(name, "/", 2)[0], ".") && !slices.Contains(rule.others, name) {
				t.Errorf("%s imports %s: each dependency is let in where it is needed, and nowhere else", f.path, name)
			}
			if slices.Contains(forbidden[f.dir()], name) {
				t.Errorf("%s imports %s: the nouns, the engine and the stores are kept pure, so that each rule can be tested and read without the network, SQL or a log", f.path, name)
			}
		}
	}
}

func TestEverythingIsDocumented(t *testing.T) {
	byDir := make(map[string][]*goFile)
	for _, f := range goFiles(t) {
		if !f.isTest() {
			byDir[f.dir()] = append(byDir[f.dir()], f)
		}
	}
	// Their meaning is Go's, wherever they stand.
	conventional := map[string]bool{"String": true, "Error": true, "Unwrap": true, "Format": true, "ServeHTTP": true, "Is": true, "Write": true, "WriteHeader": true, "Close": true, "Flush": true, "Run": true}
	for dir, list := range byDir {
		var trees []*ast.File
		for _, f := range list {
			trees = append(trees, f.tree)
		}
		// The trees of the other tests are not to be changed: doc takes parts off.
		fresh := make([]*ast.File, len(trees))
		for i, f := range list {
			tree, err := parser.ParseFile(files, f.path, f.text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			fresh[i] = tree
		}
		p, err := doc.NewFromFiles(files, fresh, module+"/"+dir)
		if err != nil {
			t.Fatal(err)
		}
		say := func(what string) {
			t.Errorf("%s: %s has no comment: whoever reads it should not need the code to learn what it is, in which units, and how it fails", dir, what)
		}
		if p.Doc == "" {
			say("the package")
		}
		values := func(list []*doc.Value) {
			for _, v := range list {
				for _, spec := range v.Decl.Specs {
					s := spec.(*ast.ValueSpec)
					for _, name := range s.Names {
						if name.IsExported() && s.Doc.Text() == "" && s.Comment.Text() == "" && (v.Decl.Lparen.IsValid() || v.Doc == "") {
							say(name.Name)
						}
					}
				}
			}
		}
		functions := func(list []*doc.Func, of string) {
			for _, f := range list {
				if f.Doc == "" && !(of != "" && conventional[f.Name]) {
					say(strings.TrimPrefix(of+"."+f.Name, "."))
				}
			}
		}
		values(p.Consts)
		values(p.Vars)
		functions(p.Funcs, "")
		for _, typ := range p.Types {
			if typ.Doc == "" {
				say(typ.Name)
			}
			values(typ.Consts)
			values(typ.Vars)
			functions(typ.Funcs, "")
			functions(typ.Methods, typ.Name)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, f := range goFiles(t) {
		if lines := bytes.Count(f.text, []byte("\n")); lines > 700 {
			t.Errorf("%s has %d lines: above 700 no one reads a file whole; split it by what it is about", f.path, lines)
		}
		if f.isTest() {
			continue // a table of cases may be as long as there are cases
		}
		for _, decl := range f.tree.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := files.Position(fn.End()).Line - files.Position(fn.Pos()).Line + 1; lines > 100 {
				t.Errorf("%s: %s has %d lines: above 100 it does more than one thing", f.path, fn.Name.Name, lines)
			}
		}
	}
}

func TestInterfacesAreFew(t *testing.T) {
	var list []string
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if _, ok := spec.Type.(*ast.InterfaceType); ok {
				list = append(list, f.path+": "+spec.Name.Name)
			}
			return true
		})
	}
	if len(list) > 10 {
		t.Errorf("%d exported interfaces: one where there are two implementations, about 10 in all, or no one finds what is called:\n%s", len(list), strings.Join(list, "\n"))
	}
	if len(list) == 0 {
		t.Error("no interface is found, not even Store: the test looks in the wrong place")
	}
}

func TestDependenciesAreFewAndExplained(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) v\S+`).FindAllSubmatch(mod, -1) {
		required = append(required, string(m[1]))
	}
	linked, tested := make(map[string]string), make(map[string]string) // module → a file that imports it
	for _, f := range goFiles(t) {
		for _, name := range imports(f) {
			if _, ours := inModule(name); ours || !strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
				continue
			}
			best := ""
			for _, m := range required {
				if (name == m || strings.HasPrefix(name, m+"/")) && len(m) > len(best) {
					best = m
				}
			}
			if best == "" {
				t.Errorf("%s imports %s, which go.mod does not require", f.path, name)
				continue
			}
			if f.isTest() || strings.HasPrefix(f.dir(), "internal/") { // what is there is for tests
				tested[best] = f.path
			} else {
				linked[best] = f.path
			}
		}
	}
	for m := range linked {
		delete(tested, m)
	}
	if len(linked) > 23 || len(linked) < 5 {
		t.Errorf("%d direct dependencies are linked, want 5 to 23: each is code that we answer for: %v", len(linked), linked)
	}
	if len(tested) > 10 || len(tested) < 1 {
		t.Errorf("%d more direct dependencies are for tests only, want 1 to 10: each must go on working when Go does: %v", len(tested), tested)
	}
	text, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	program, tests, found := bytes.Cut(text, []byte("## In the tests only"))
	if !found {
		t.Fatal("docs/dependencies.md does not tell apart what only tests import")
	}
	for _, kind := range []struct {
		part    []byte
		modules map[string]string
	}{{program, linked}, {tests, tested}} {
		for m, f := range kind.modules {
			if !bytes.Contains(kind.part, []byte("`"+m+"`")) {
				t.Errorf("%s imports %s, and docs/dependencies.md does not say in its place why it earns it", f, m)
			}
		}
	}
}

func TestNames(t *testing.T) {
	// The words are put together here, so that this file may be tested, too.
	vague := regexp.MustCompile(`(?i)(manag` + `er|provid` + `er|help` + `er|util)`)
	for _, f := range goFiles(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			var names []*ast.Ident
			switch n := n.(type) {
			case *ast.FuncDecl:
				names = append(names, n.Name)
			case *ast.TypeSpec:
				names = append(names, n.Name)
			case *ast.ValueSpec:
				names = append(names, n.Names...)
			case *ast.Field:
				names = append(names, n.Names...)
			case *ast.AssignStmt:
				if n.Tok == token.DEFINE {
					for _, x := range n.Lhs {
						if id, ok := x.(*ast.Ident); ok {
							names = append(names, id)
						}
					}
				}
			}
			for _, id := range names {
				if vague.MatchString(id.Name) {
					t.Errorf("%s: %s says nothing about what it is; name it after what it holds or does", files.Position(id.Pos()), id.Name)
				}
			}
			return true
		})
		if vague.MatchString(f.path) {
			t.Errorf("%s: the file's name says nothing about what is in it", f.path)
		}
	}
}

// No path of whoever's machine, which means nothing on another.
func TestNoPathOfAMachine(t *testing.T) {
	// The words are put together here, so that this file may be tested, too.
	begins := []string{"/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/", "/Us" + "ers/"}
	machine := regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(ro` + `ot|wo` + `rk|ho` + `me/[a-z]+|Us` + `ers/[A-Za-z]+)/`)
	for name, text := range repository(t) {
		if bytes.IndexByte(text, 0) >= 0 || name == "go.sum" {
			continue
		}
		if !slices.ContainsFunc(begins, func(b string) bool { return bytes.Contains(text, []byte(b)) }) {
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := machine.FindString(line); found != "" {
				t.Errorf("%s:%d: %q is a path of one machine", name, i+1, strings.TrimSpace(found))
			}
		}
	}
}

// What the code says to read is there to be read.
func TestCitedDocumentsAreThere(t *testing.T) {
	all := repository(t)
	cited := regexp.MustCompile(`\bdocs/[A-Za-z0-9/_-]*(?:\.md|/[0-9]{4}\b)`)
	found := 0
	for _, f := range goFiles(t) {
		for _, group := range f.tree.Comments {
			for _, name := range cited.FindAllString(group.Text(), -1) {
				found++
				there := all[name] != nil
				for other := range all {
					there = there || strings.HasPrefix(other, name+"-") // a decision, by its number
				}
				if !there {
					t.Errorf("%s cites %s, which is not there", f.path, name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d citations are found; are they written in another way?", found)
	}
}

// Every link of a document to a file of the repository leads somewhere.
func TestLinksResolve(t *testing.T) {
	all := repository(t)
	link := regexp.MustCompile(`\]\(<?([^)>\s]+)>?(?: "[^"]*")?\)|(?:src|href)="([^"]+)"`)
	fence := regexp.MustCompile("(?ms)^```.*?^```")
	for name, text := range all {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(fence.ReplaceAll(text, nil)), -1) {
			target := m[1] + m[2]
			if strings.Contains(target, ":") || strings.HasPrefix(target, "#") {
				continue // another site, or a place in the same document
			}
			target, _, _ = strings.Cut(target, "#")
			to := path.Join(path.Dir(name), target)
			if strings.HasPrefix(target, "/") {
				to = target[1:]
			}
			if info, err := os.Stat(to); err != nil || !info.IsDir() && all[to] == nil {
				t.Errorf("%s links to %s, which is not there", name, target)
			}
		}
	}
}
