package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

// maxDepth bounds how deep arrays and objects may be nested.
const maxDepth = 16

// readObject reads one JSON object from a stranger. Names are compared letter by
// letter and stand once (RFC 8259 §4 leaves that open, and what two readers read
// differently is an attack): encoding/json takes any case and the last one.
// Numbers are json.Number. The error is of kind Invalid.
func readObject(text []byte) (map[string]any, error) {
	value, err := readStrict(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, symbolon.Errorf(symbolon.Invalid, "JSON", "it is not a JSON object")
	}
	return object, nil
}

// readStrict reads any JSON value as readObject reads an object.
func readStrict(text []byte) (any, error) {
	bad := func(why string) error { return symbolon.Errorf(symbolon.Invalid, "JSON", "%s", why) }
	if !utf8.Valid(text) {
		return nil, bad("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("there is something behind the JSON object")
	}
	return value, nil
}

// readValue reads the next value.
func readValue(d *json.Decoder, depth int) (any, error) {
	bad := func(why string) error { return symbolon.Errorf(symbolon.Invalid, "JSON", "%s", why) }
	t, err := d.Token()
	if err != nil {
		return nil, bad("it is not JSON")
	}
	delim, nested := t.(json.Delim)
	if !nested {
		return t, nil
	}
	if depth == maxDepth {
		return nil, bad("it is nested too deep")
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			item, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		if _, err := d.Token(); err != nil {
			return nil, bad("it is not JSON")
		}
		return list, nil
	}
	object := make(map[string]any)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, bad("it is not JSON")
		}
		if _, twice := object[name.(string)]; twice {
			return nil, bad("a name stands twice in it")
		}
		if object[name.(string)], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, bad("it is not JSON")
	}
	return object, nil
}
