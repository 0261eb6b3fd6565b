package oauth

import (
	"testing"

	"github.com/symbolon/symbolon"
)

// RFC 9396 §2: what an owner may say of a type.
func TestCheckDetailType(t *testing.T) {
	fields, required := []string{"amount", "creditor"}, []string{"amount", "locations"}
	for sentence, ok := range map[string]bool{
		"pay {amount.value} {amount.currency} to {creditor}": true,
		"pay at {locations}":  true,
		"pay":                 true,
		"":                    false,
		" ":                   false,
		"pay {amount":         false,
		"pay amount}":         false,
		"pay {amount} now}":   false,
		"pay {amount{value}}": false,
		"pay {}":              false,
		"pay {price}":         false,
		"pay\n{amount}":       false,
	} {
		d := DetailType{Type: "payment", Sentence: sentence, Fields: fields, Required: required}
		if err := d.Check(); (err == nil) != ok || err != nil && symbolon.KindOf(err) != symbolon.Invalid {
			t.Errorf("%q: %v", sentence, err)
		}
	}
	for name, d := range map[string]DetailType{
		"no name":                  {Sentence: "pay"},
		"a name that breaks":       {Type: "a\x00", Sentence: "pay"},
		"a field without a name":   {Type: "payment", Sentence: "pay", Fields: []string{""}},
		"requires what it has not": {Type: "payment", Sentence: "pay", Required: []string{"amount"}},
	} {
		if d.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
