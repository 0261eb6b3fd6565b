package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// spec is as much of an OpenAPI 3.1 document as the page at /docs shows.
type spec struct {
	Info struct {
		Title, Description string
	}
	Paths members[pathItem]
	// Components are what references lead to, by kind and name.
	Components map[string]map[string]json.RawMessage
}

// members is a JSON object whose members keep their order.
type members[T any] []member[T]

type member[T any] struct {
	Name  string
	Value T
}

func (m *members[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("want an object, got %.40s", text)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		one := member[T]{Name: name.(string)} // what a JSON object has before a colon
		if err := d.Decode(&one.Value); err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
		*m = append(*m, one)
	}
	return nil
}

type pathItem struct {
	Get, Post, Delete *operation
}

type operation struct {
	Step        int `json:"x-step"`
	Summary     string
	Description string
	Parameters  []reference[parameter]
	RequestBody *struct {
		Description string
		Content     members[mediaContent]
	}
	Responses members[reference[response]]
	Callbacks members[members[pathItem]]
	Samples   []struct{ Source string } `json:"x-codeSamples"`
}

type parameter struct {
	Name, Description string
	Required          bool
	Schema            schema
	Example           any
}

type response struct {
	Description string
	Content     members[mediaContent]
}

type mediaContent struct {
	Schema  reference[schema]
	Example json.RawMessage
}

type schema struct {
	Title       string
	Type        string
	Description string
	Properties  members[schema]
	Required    []string
	OneOf       []reference[schema]
	AllOf       []reference[schema]
	Enum        []string
	Examples    []any
}

// reference is a value, or where in the document it stands.
type reference[T any] struct {
	Ref   string
	Value T
}

func (r *reference[T]) UnmarshalJSON(text []byte) error {
	var pointer struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal(text, &pointer); err != nil {
		return err
	}
	if r.Ref = pointer.Ref; r.Ref != "" {
		return nil
	}
	return json.Unmarshal(text, &r.Value)
}

func readSpec(text []byte) (*spec, error) {
	s := new(spec)
	return s, json.Unmarshal(text, s)
}

// follow returns what a reference stands for.
func follow[T any](s *spec, r reference[T]) (T, error) {
	if r.Ref == "" {
		return r.Value, nil
	}
	var value T
	path, ok := strings.CutPrefix(r.Ref, "#/components/")
	kind, name, _ := strings.Cut(path, "/")
	text := s.Components[kind][name]
	if !ok || text == nil {
		return value, fmt.Errorf("%s leads nowhere", r.Ref)
	}
	return value, json.Unmarshal(text, &value)
}
