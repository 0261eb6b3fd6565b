package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

// Params are the parameters of one request, from a query, a form or a JSON
// object. They are read once, into the struct of a step.
type Params struct {
	pairs []pair
}

type pair struct {
	name, value string
	fault       string // what is wrong with the value, or ""
}

// maxParams bounds the parameters of one request.
const maxParams = 100

const (
	faultRepeated  = "is repeated"
	faultEscape    = "has a broken percent-escape"
	faultCharacter = "is not UTF-8 or has a control character"
	faultType      = "is not a string"
)

// ParseForm reads application/x-www-form-urlencoded text: a query or a body.
// What is wrong with one parameter is reported only when that parameter is
// asked for, since unknown ones are ignored (RFC 6749 §3.1). The error, of kind
// Invalid, is for text that has too many.
func ParseForm(text string) (Params, error) {
	var p Params
	p.pairs = make([]pair, 0, 8)
	for len(text) > 0 {
		var item string
		item, text = cut(text, '&')
		if item == "" {
			continue
		}
		if len(p.pairs) == maxParams {
			return p, symbolon.Errorf(symbolon.Invalid, "parameters", "there are more than %d", maxParams)
		}
		name, value := cut(item, '=')
		name, ok := unescape(name)
		if !ok {
			continue // a name that cannot be read is an unknown one
		}
		pr := pair{name: name}
		if pr.value, ok = unescape(value); !ok {
			pr.fault = faultEscape
		} else if !clean(pr.value) {
			pr.fault = faultCharacter
		}
		p.pairs = append(p.pairs, pr)
	}
	return p, nil
}

func cut(s string, sep byte) (before, after string) {
	for i := range len(s) {
		if s[i] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unescape undoes form encoding: %XX and "+".
func unescape(s string) (string, bool) {
	plain := true
	for i := range len(s) {
		if s[i] == '%' || s[i] == '+' {
			plain = false
			break
		}
	}
	if plain {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", false
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// clean reports whether s is UTF-8 without control characters.
func clean(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// ParseJSON reads one flat JSON object whose values are strings; null counts as
// absent. The error, of kind Invalid, is for text that is no such object, has
// something behind it, or is nested deeper than can be meant.
func ParseJSON(text []byte) (Params, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var p Params
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return p, symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not a JSON object")
	}
	if !utf8.Valid(text) {
		return p, symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not UTF-8")
	}
	for d.More() {
		if len(p.pairs) == maxParams {
			return p, symbolon.Errorf(symbolon.Invalid, "parameters", "there are more than %d", maxParams)
		}
		name, err := d.Token()
		if err != nil {
			return p, symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not JSON")
		}
		value, err := d.Token()
		if err != nil {
			return p, symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not JSON")
		}
		pr := pair{name: name.(string)}
		switch v := value.(type) {
		case string:
			if pr.value = v; !clean(v) {
				pr.fault = faultCharacter
			}
		case nil:
		case json.Delim:
			if err := skip(d); err != nil {
				return p, err
			}
			pr.fault = faultType
		default:
			pr.fault = faultType
		}
		p.pairs = append(p.pairs, pr)
	}
	if _, err := d.Token(); err != nil {
		return p, symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, symbolon.Errorf(symbolon.Invalid, "parameters", "there is something behind the JSON object")
	}
	return p, nil
}

// skip reads to the end of the array or object that was just opened.
func skip(d *json.Decoder) error {
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil || depth > 32 {
			return symbolon.Errorf(symbolon.Invalid, "parameters", "the body is not JSON, or too deep")
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return nil
}

// value returns the value of a parameter that may appear once, or "" when it is
// absent; an empty value counts as absent (RFC 6749 §3.1). The fault says what
// is wrong with it, or is "".
func (p *Params) single(name string) (value, fault string) {
	seen := false
	for i := range p.pairs {
		if p.pairs[i].name != name {
			continue
		}
		// RFC 6749 §3.1, §3.2: parameters must not be included more than once.
		if seen {
			return "", faultRepeated
		}
		seen = true
		value, fault = p.pairs[i].value, p.pairs[i].fault
	}
	return value, fault
}

// all returns every value of a parameter that may be repeated.
func (p *Params) all(name string) (values []string, fault string) {
	for i := range p.pairs {
		switch {
		case p.pairs[i].name != name || p.pairs[i].value == "" && p.pairs[i].fault == "":
		case p.pairs[i].fault != "":
			return nil, p.pairs[i].fault
		default:
			values = append(values, p.pairs[i].value)
		}
	}
	return values, ""
}

// Has reports whether the parameter is there, even if empty or faulty.
func (p *Params) Has(name string) bool {
	for i := range p.pairs {
		if p.pairs[i].name == name {
			return true
		}
	}
	return false
}

// Each calls yield with every parameter in its order, with what is wrong with its value
// or "", until it returns false.
func (p *Params) Each(yield func(name, value, fault string) bool) {
	for i := range p.pairs {
		if !yield(p.pairs[i].name, p.pairs[i].value, p.pairs[i].fault) {
			return
		}
	}
}

// fields reads named parameters into strings; the first fault of each kind is
// kept by name, to be reported in the order in which the step looks.
type fields struct {
	params *Params
	faults map[string]string
}

func (f *fields) read(name string) string {
	value, fault := f.params.single(name)
	f.note(name, fault)
	return value
}

// all reads a parameter that may appear more than once.
func (f *fields) all(name string) []string {
	values, fault := f.params.all(name)
	f.note(name, fault)
	return values
}

func (f *fields) note(name, fault string) {
	if fault == "" {
		return
	}
	if f.faults == nil {
		f.faults = make(map[string]string)
	}
	f.faults[name] = fault
}

// First returns the value of a parameter that must appear exactly once, or ""
// when it does not or is faulty.
func (p *Params) First(name string) string {
	value, fault := p.single(name)
	if fault != "" {
		return ""
	}
	return value
}
