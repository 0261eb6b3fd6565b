package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/jwt"
)

// DetailType is a type of authorization_details that the owner's API knows
// (RFC 9396 §2).
type DetailType struct {
	// Type is the value of the member type.
	Type string
	// Sentence says on the consent page what the person allows. In braces stand
	// members of the object, with dots to members within: "pay {amount.value}
	// {amount.currency} to {creditor}".
	Sentence string
	// Fields are the members that an object may have beside those that every type
	// has (RFC 9396 §2.2); Required are those of all that it must have.
	Fields, Required []string
}

// commonFields are the members that an object of any type may have.
var commonFields = []string{"type", "locations", "actions", "datatypes", "identifier", "privileges"}

const (
	// maxDetails bounds authorization_details, which stand in every token, and a
	// token stands in a header. In bytes.
	maxDetails = 3000
	// maxDetailItems bounds the objects in it.
	maxDetailItems = 20
)

// readDetails checks authorization_details and returns each object, in the
// fewest bytes. The second result says what is wrong, or is empty.
func (e *Engine) readDetails(text string) ([]json.RawMessage, string) {
	var list []json.RawMessage
	var whole any
	if len(text) > maxDetails {
		return nil, "The authorization_details are longer than 3000 bytes."
	}
	// Both refuse names that stand twice; one what is nested too deep, the other
	// numbers that not every reader can hold.
	_, err := readStrict([]byte(text))
	if err != nil || jwt.Decode([]byte(text), &whole) != nil || json.Unmarshal([]byte(text), &list) != nil || len(list) == 0 || len(list) > maxDetailItems {
		return nil, "The authorization_details must be a JSON array of 1 to 20 objects, in which no name stands twice."
	}
	for i, item := range list {
		var object map[string]json.RawMessage
		if json.Unmarshal(item, &object) != nil || object == nil {
			return nil, "The authorization_details must be a JSON array of objects."
		}
		var name string
		if json.Unmarshal(object["type"], &name) != nil {
			return nil, "Each of the authorization_details must have a type that is a string."
		}
		known := slices.IndexFunc(e.cfg.Details, func(d DetailType) bool { return d.Type == name })
		if known < 0 {
			return nil, "The authorization_details have a type that is not known here; the metadata lists those that are."
		}
		if why := e.cfg.Details[known].check(object); why != "" {
			return nil, why
		}
		var b bytes.Buffer
		if json.Compact(&b, item) != nil {
			return nil, "The authorization_details are not JSON."
		}
		list[i] = b.Bytes()
	}
	return list, ""
}

// check holds an object to its type (RFC 9396 §5).
func (d *DetailType) check(object map[string]json.RawMessage) string {
	for _, field := range d.Required {
		if _, ok := object[field]; !ok {
			return "The authorization_details lack a member that their type must have."
		}
	}
	for field, value := range object {
		if !slices.Contains(commonFields, field) && !slices.Contains(d.Fields, field) {
			return "The authorization_details have a member that their type does not have."
		}
		switch field {
		case "locations", "actions", "datatypes", "privileges":
			var list []string
			if json.Unmarshal(value, &list) != nil {
				return "The members locations, actions, datatypes and privileges of authorization_details are arrays of strings."
			}
		case "identifier":
			var id string
			if json.Unmarshal(value, &id) != nil {
				return "The member identifier of authorization_details is a string."
			}
		}
	}
	return ""
}

// joinDetails writes objects as one array.
func joinDetails(list []json.RawMessage) string {
	if len(list) == 0 {
		return ""
	}
	return "[" + string(bytes.Join(toBytes(list), []byte(","))) + "]"
}

func toBytes(list []json.RawMessage) [][]byte {
	parts := make([][]byte, len(list))
	for i := range list {
		parts[i] = list[i]
	}
	return parts
}

// askedDetails checks the authorization_details of a request that no
// authorization came before.
func (e *Engine) askedDetails(c *caller, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	list, why := e.readDetails(text)
	if why != "" {
		return "", c.no(InvalidDetails, why)
	}
	return joinDetails(list), nil
}

// fewerDetails returns those of the granted details that are asked for now (RFC
// 9396 §6): each must be one of them, unchanged.
func (e *Engine) fewerDetails(c *caller, granted, asked string) (string, error) {
	list, why := e.readDetails(asked)
	if why != "" {
		return "", c.no(InvalidDetails, why)
	}
	var have []json.RawMessage
	if granted != "" {
		if err := json.Unmarshal([]byte(granted), &have); err != nil {
			return "", storeError(err)
		}
	}
	for _, item := range list {
		if !slices.ContainsFunc(have, func(h json.RawMessage) bool { return bytes.Equal(h, item) }) {
			return "", c.no(InvalidDetails, "The authorization_details ask for what was not granted; each must be one of those that were, unchanged.")
		}
	}
	return joinDetails(list), nil
}

// sentences says in words what details allow, for the consent page.
func (e *Engine) sentences(details string) []string {
	var list []map[string]any
	d := json.NewDecoder(strings.NewReader(details))
	d.UseNumber()
	if d.Decode(&list) != nil {
		return nil
	}
	var words []string
	for _, object := range list {
		for _, known := range e.cfg.Details {
			if known.Type == object["type"] {
				words = append(words, expand(known.Sentence, object))
			}
		}
	}
	return words
}

// expand puts members of an object into a sentence.
func expand(sentence string, object map[string]any) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sentence, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		path, after, closed := strings.Cut(rest, "}")
		if !closed {
			return b.String()
		}
		b.WriteString(member(object, path))
		sentence = after
	}
}

// maxShown bounds what is shown of one member, in runes.
const maxShown = 200

func member(object map[string]any, path string) string {
	var value any = object
	for name := range strings.SplitSeq(path, ".") {
		within, ok := value.(map[string]any)
		if !ok {
			return "…"
		}
		value = within[name]
	}
	var text string
	switch v := value.(type) {
	case nil:
		return "…"
	case string:
		text = v
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = fmt.Sprint(v[i])
		}
		text = strings.Join(parts, ", ")
	default:
		text = fmt.Sprint(v)
	}
	// The app wrote it, and the person must see what it says: an override of the
	// direction would turn an amount around, and a line of its own look like ours.
	shown, cut := visible(text, maxShown)
	if cut || shown == "" {
		return shown + "…"
	}
	return shown
}
