package web

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"sync"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/oauth"
)

// description is the OpenAPI description of the page's API, written for a
// server at exampleIssuer. A test holds it to what the server does.
//
//go:embed openapi.json
var description []byte

// exampleIssuer stands for the server's own address in the description.
const exampleIssuer = "https://symbolon.example"

// docs are the documents for developers.
type docs struct {
	json []byte // the description, with this server's address
	// page makes the page of it, when it is first asked for: reading the
	// description takes longer than all the rest of the start.
	page  func() (*DocsPage, error)
	codes []ErrorCode
}

func newDocs(issuer string) (*docs, error) {
	const op = "read the API description"
	quoted, err := json.Marshal(issuer)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, op, err)
	}
	d := &docs{codes: errorCodes()}
	d.json = bytes.ReplaceAll(description, []byte(exampleIssuer), quoted[1:len(quoted)-1])
	d.page = sync.OnceValues(func() (*DocsPage, error) {
		spec, err := readSpec(d.json)
		if err != nil {
			return nil, symbolon.Wrap(symbolon.Internal, op, err)
		}
		page, err := spec.page()
		if err != nil {
			return nil, symbolon.Wrap(symbolon.Internal, op, err)
		}
		page.Issuer = issuer
		return page, nil
	})
	return d, nil
}

// Developer is what the pages for developers have in common.
type Developer struct {
	// Here is which of them this is: "playground", "docs" or "errors".
	Here string
	// Playground says that this server has one.
	Playground bool
}

// openAPI answers with the description itself.
func (h *Handler) openAPI(w http.ResponseWriter, r *http.Request, ev *event) error {
	// Nothing in it is private: any site may read it, to draw it in its way.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return writeJSON(w, ev, http.StatusOK, h.docs.json)
}

// docsPage shows the description to people.
func (h *Handler) docsPage(w http.ResponseWriter, r *http.Request, ev *event) error {
	made, err := h.docs.page()
	if err != nil {
		return err
	}
	page := *made
	page.Developer = Developer{Here: "docs", Playground: h.play != nil}
	if h.Sandbox {
		page.ClientID, page.Secret = string(h.SandboxApp), h.SandboxSecret
	}
	h.render(w, r, ev, http.StatusOK, &page)
	return nil
}

// docsErrors shows every error code, where error_uri of a refusal leads.
func (h *Handler) docsErrors(w http.ResponseWriter, r *http.Request, ev *event) error {
	h.render(w, r, ev, http.StatusOK, &ErrorsPage{Developer: Developer{Here: "errors", Playground: h.play != nil}, Codes: h.docs.codes})
	return nil
}

// ErrorsPage explains every error code that this server gives. The anchor of
// each is the code.
type ErrorsPage struct {
	Developer
	Codes []ErrorCode
}

func (*ErrorsPage) template() string     { return "docs-errors" }
func (*ErrorsPage) headers() pageHeaders { return pageHeaders{English: true} }

// ErrorCode is one error code. The sentences about it are those of text/ whose
// keys are "errors." and the code with "_means", "_cause" and "_mend".
type ErrorCode struct {
	Code string
	// Statuses are those with which the page's paths give it, in order.
	Statuses []int
}

// httpStatuses are those of refusals that are about HTTP, not about OAuth. They
// all say invalid_request.
var httpStatuses = []int{
	http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
	http.StatusUnsupportedMediaType, http.StatusRequestHeaderFieldsTooLarge,
}

// errorCodes returns every code that the engine's refusals have, with the
// statuses that status gives them.
func errorCodes() []ErrorCode {
	at := map[string]int{}
	var codes []ErrorCode
	for r := range statuses {
		refusal := oauth.Refusal(r)
		i, known := at[refusal.Code()]
		if !known {
			i = len(codes)
			at[refusal.Code()] = i
			codes = append(codes, ErrorCode{Code: refusal.Code()})
		}
		codes[i].Statuses = append(codes[i].Statuses, status(refusal, page, false), status(refusal, page, true), status(refusal, standard, false))
	}
	i := at[oauth.InvalidRequest.Code()]
	codes[i].Statuses = append(codes[i].Statuses, httpStatuses...)
	for i := range codes {
		slices.Sort(codes[i].Statuses)
		codes[i].Statuses = slices.Compact(codes[i].Statuses)
	}
	// The server's own faults come first in the engine, and last here.
	own := []string{oauth.ServerError.Code(), oauth.Unavailable.Code()}
	slices.SortStableFunc(codes, func(a, b ErrorCode) int {
		return slices.Index(own, a.Code) - slices.Index(own, b.Code)
	})
	return codes
}

// docsSamples are the documents as they are drawn at start-up.
func docsSamples() []Page {
	field := DocsField{Name: "scope", Type: "string", About: "What the app may do.", Example: "connect"}
	required, sent := field, field
	required.Required, required.Sent, sent.Sent = true, true, true
	page := DocsPage{
		Developer: Developer{Here: "docs"}, Issuer: "http://127.0.0.1:8080", Title: "Version 2 (OAuth2)", Intro: []template.HTML{"Six steps."},
		Steps: []DocsStep{{
			Number: 1, Title: "Redirect a user to your app", Method: "GET", Path: "/authorize", Also: []string{"POST"}, About: []template.HTML{"Send the browser here."},
			Query: []DocsField{required, sent}, Bodies: []DocsBody{{Fields: []DocsField{required}}, {Title: "With a code", Fields: []DocsField{sent}}},
			BodyAbout: "A form.", MediaTypes: []string{"application/json"}, Curl: "curl -sS",
			Answers: []DocsAnswer{
				{Status: "200", Text: "OK", About: "The code.", Fields: []DocsField{field, required}, Example: "{}"},
				{Status: "303", Text: "See Other", About: "Sent on."},
				{Status: "400", Text: "Bad Request", About: "Malformed.", Errors: []string{"invalid_request"}},
				{Status: "500", Text: "Internal Server Error", About: "Failed.", Errors: []string{"server_error"}},
			},
		}},
	}
	sandbox := page
	sandbox.Developer.Playground = true
	sandbox.ClientID, sandbox.Secret = "sym_app_sample", "sym_secret_SAMPLE"
	return []Page{&page, &sandbox, &ErrorsPage{Developer: Developer{Here: "errors"}, Codes: errorCodes()}}
}
