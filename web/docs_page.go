package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// DocsPage is the API description for people.
type DocsPage struct {
	Developer
	Issuer string
	// ClientID and Secret are those of the sandbox app, or empty.
	ClientID, Secret string
	Title            string
	Intro            []template.HTML // paragraphs
	Steps            []DocsStep
}

func (*DocsPage) template() string     { return "docs" }
func (*DocsPage) headers() pageHeaders { return pageHeaders{English: true} }

// DocsStep is one of the six steps.
type DocsStep struct {
	Number int
	Title  string
	// Method and Path are those of the request; Path of step 2 is redirect_uri,
	// which is the app's. Also are other methods that do the same.
	Method, Path string
	Also         []string
	About        []template.HTML
	Query        []DocsField
	// Bodies are the fields of the body, one table for each way of using it;
	// MediaTypes are how it may be written.
	Bodies     []DocsBody
	BodyAbout  template.HTML
	MediaTypes []string
	Answers    []DocsAnswer
	// Curl is a command line for a POSIX shell.
	Curl string
}

// DocsBody is one way of filling a body.
type DocsBody struct {
	Title  string
	Fields []DocsField
}

// DocsField is a parameter, or a member of a JSON object.
type DocsField struct {
	Name     string
	Type     string
	Required bool
	// Sent says that a client sends it; otherwise it gets it.
	Sent    bool
	About   template.HTML
	Example string
}

// DocsAnswer is an answer with one status.
type DocsAnswer struct {
	Status string // "200", or "default"
	Text   string // "OK"
	About  template.HTML
	// Errors are the error codes that it may carry.
	Errors []string
	// Fields and Example are of the body in JSON; both are empty for refusals,
	// which all look alike.
	Fields  []DocsField
	Example string
}

// Good reports whether it is what a client hopes for.
func (a *DocsAnswer) Good() bool { return a.Status < "400" || a.Status == "default" }

// general are the statuses about HTTP, which every step gives for the same
// reasons; the page folds them away.
var general = []string{"405", "413", "414", "415", "431", "500"}

// Refusals are the answers without an example that are about the step itself.
func (s *DocsStep) Refusals() []DocsAnswer {
	return s.answers(func(a *DocsAnswer) bool { return a.Example == "" && !slices.Contains(general, a.Status) })
}

// General are the answers about HTTP.
func (s *DocsStep) General() []DocsAnswer {
	return s.answers(func(a *DocsAnswer) bool { return slices.Contains(general, a.Status) })
}

func (s *DocsStep) answers(want func(*DocsAnswer) bool) []DocsAnswer {
	var some []DocsAnswer
	for i := range s.Answers {
		if want(&s.Answers[i]) {
			some = append(some, s.Answers[i])
		}
	}
	return some
}

// page makes the page of the description.
func (s *spec) page() (*DocsPage, error) {
	p := &DocsPage{Title: s.Info.Title, Intro: paragraphs(s.Info.Description)}
	for _, path := range s.Paths {
		steps, err := s.steps(path.Name, &path.Value)
		if err != nil {
			return p, fmt.Errorf("%s: %w", path.Name, err)
		}
		p.Steps = append(p.Steps, steps...)
	}
	slices.SortFunc(p.Steps, func(a, b DocsStep) int { return a.Number - b.Number })
	return p, nil
}

// steps are the step at a path and those that it calls back.
func (s *spec) steps(path string, item *pathItem) ([]DocsStep, error) {
	var first *DocsStep
	var all []DocsStep
	for _, m := range []struct {
		method string
		op     *operation
	}{{http.MethodGet, item.Get}, {http.MethodPost, item.Post}, {http.MethodDelete, item.Delete}} {
		switch {
		case m.op == nil:
		case first != nil:
			first.Also = append(first.Also, m.method)
		default:
			step, err := s.step(m.method, path, m.op)
			if err != nil {
				return nil, err
			}
			first = &step
			for _, callback := range m.op.Callbacks {
				for _, at := range callback.Value {
					called, err := s.steps("redirect_uri", &at.Value)
					if err != nil {
						return nil, err
					}
					all = append(all, called...)
				}
			}
		}
	}
	if first == nil {
		return nil, fmt.Errorf("no operation")
	}
	return append(all, *first), nil
}

func (s *spec) step(method, path string, op *operation) (DocsStep, error) {
	step := DocsStep{Number: op.Step, Title: op.Summary, Method: method, Path: path, About: paragraphs(op.Description)}
	for _, r := range op.Parameters {
		p, err := follow(s, r)
		if err != nil {
			return step, err
		}
		step.Query = append(step.Query, DocsField{Name: p.Name, Type: p.Schema.Type, Required: p.Required, Sent: true, About: inline(p.Description), Example: example(p.Example)})
	}
	if body := op.RequestBody; body != nil {
		step.BodyAbout = inline(body.Description)
		for _, c := range body.Content {
			step.MediaTypes = append(step.MediaTypes, c.Name)
		}
		var err error
		if step.Bodies, err = s.bodies(body.Content[0].Value.Schema); err != nil {
			return step, err
		}
	}
	for _, r := range op.Responses {
		answer, err := s.answer(r.Name, r.Value)
		if err != nil {
			return step, err
		}
		step.Answers = append(step.Answers, answer)
	}
	if len(op.Samples) > 0 {
		step.Curl = op.Samples[0].Source
	}
	return step, nil
}

// bodies are the tables of a body's schema: one, or one for each of its oneOf.
func (s *spec) bodies(r reference[schema]) ([]DocsBody, error) {
	of, err := follow(s, r)
	if err != nil {
		return nil, err
	}
	if len(of.OneOf) == 0 {
		return []DocsBody{{Title: of.Title, Fields: of.fields(true)}}, nil
	}
	var bodies []DocsBody
	for _, one := range of.OneOf {
		more, err := s.bodies(one)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, more...)
	}
	return bodies, nil
}

func (of *schema) fields(sent bool) []DocsField {
	var fields []DocsField
	for _, p := range of.Properties {
		f := DocsField{Name: p.Name, Type: p.Value.Type, Required: slices.Contains(of.Required, p.Name), Sent: sent, About: inline(p.Value.Description)}
		if len(p.Value.Examples) > 0 {
			f.Example = example(p.Value.Examples[0])
		}
		fields = append(fields, f)
	}
	return fields
}

func (s *spec) answer(code string, r reference[response]) (DocsAnswer, error) {
	a := DocsAnswer{Status: code}
	resp, err := follow(s, r)
	if err != nil {
		return a, err
	}
	if n, err := strconv.Atoi(code); err == nil {
		a.Text = http.StatusText(n)
	}
	a.About = inline(resp.Description)
	for _, c := range resp.Content {
		if c.Name != "application/json" {
			continue
		}
		of, err := follow(s, c.Value.Schema)
		if err != nil {
			return a, err
		}
		for _, part := range of.AllOf { // of refusals: the error, and the codes it may have
			for _, p := range part.Value.Properties {
				a.Errors = append(a.Errors, p.Value.Enum...)
			}
		}
		if a.Good() {
			a.Fields = of.fields(false)
			var b bytes.Buffer
			if err := json.Indent(&b, c.Value.Example, "", "  "); err != nil {
				return a, err
			}
			a.Example = b.String()
		}
	}
	return a, nil
}

func example(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// paragraphs are the parts of a text between blank lines.
func paragraphs(text string) []template.HTML {
	var all []template.HTML
	for part := range strings.SplitSeq(text, "\n\n") {
		all = append(all, inline(part))
	}
	return all
}

// inline is a text of the description as HTML: what stands between backticks is
// code. No more of Markdown is used there.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
			continue
		}
		b.WriteString(template.HTMLEscapeString(part))
	}
	return template.HTML(b.String())
}
