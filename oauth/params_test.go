package oauth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"pgregory.net/rapid"
)

func TestParseForm(t *testing.T) {
	for _, tt := range []struct {
		name, text  string
		want, fault string
	}{
		{"present", "a=1", "1", ""},
		{"among others", "b=2&a=1&c=3", "1", ""},
		{"absent", "b=1", "", ""},
		{"RFC6749-3.1-c empty counts as absent", "a=", "", ""},
		{"no equals sign", "a", "", ""},
		{"an equals sign inside", "a=b=c", "b=c", ""},
		{"plus is a space", "a=b+c", "b c", ""},
		{"%2B is a plus", "a=b%2Bc", "b+c", ""},
		{"an encoded name", "%61=1", "1", ""},
		{"UTF-8", "a=%C3%A9", "é", ""},
		{"a semicolon is no separator", "a=1;a=2", "1;a=2", ""},
		{"empty items", "&&a=1&&", "1", ""},
		{"names are case-sensitive", "A=1", "", ""},
		{"RFC6749-3.1-d repeated", "a=1&a=2", "", faultRepeated},
		{"RFC6749-3.1-d repeated with the same value", "a=1&a=1", "", faultRepeated},
		{"RFC6749-3.1-d repeated, once empty", "a=1&a=", "", faultRepeated},
		{"RFC6749-3.1-d repeated under an encoded name", "a=1&%61=2", "", faultRepeated},
		{"B68 broken escape", "a=%zz", "", faultEscape},
		{"B68 cut escape", "a=%4", "%", faultEscape},
		{"B68 NUL", "a=%00", "\x00", faultCharacter},
		{"B68 line break", "a=b%0d%0ac", "", faultCharacter},
		{"B68 not UTF-8", "a=%ff", "", faultCharacter},
		{"B68 overlong UTF-8", "a=%c0%af", "", faultCharacter},
		{"B68 surrogate", "a=%ed%a0%80", "", faultCharacter},
		{"a fault of another parameter", "b=%zz&a=1", "1", ""},
		{"a broken name is an unknown one", "%zz=1&a=1", "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseForm(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got, fault := p.single("a")
			if fault != tt.fault || fault == "" && got != tt.want {
				t.Errorf("%q: %q, fault %q", tt.text, got, fault)
			}
			if (fault != "") != (p.First("a") == "") && tt.want != "" {
				t.Errorf("First gives %q", p.First("a"))
			}
		})
	}
}

func TestParseFormIsBounded(t *testing.T) {
	if _, err := ParseForm(strings.Repeat("a=1&", maxParams)); err != nil {
		t.Errorf("%d parameters: %v", maxParams, err)
	}
	if _, err := ParseForm(strings.Repeat("a=1&", maxParams+1)); err == nil || symbolon.KindOf(err) != symbolon.Invalid {
		t.Errorf("%d parameters: %v", maxParams+1, err)
	}
}

func TestParseJSON(t *testing.T) {
	for _, tt := range []struct {
		name, text  string
		want, fault string
		bad         bool
	}{
		{"present", `{"a":"1"}`, "1", "", false},
		{"among others", ` { "b" : "2" , "a" : "1" } ` + "\n", "1", "", false},
		{"absent", `{}`, "", "", false},
		{"null counts as absent", `{"a":null}`, "", "", false},
		{"empty counts as absent", `{"a":""}`, "", "", false},
		{"an escaped name", `{"\u0061":"1"}`, "1", "", false},
		{"names are case-sensitive", `{"A":"1"}`, "", "", false},
		{"of other types, under other names", `{"x":[1,{"y":[]}],"z":true,"n":1e3,"a":"1"}`, "1", "", false},
		{"B69 repeated", `{"a":"1","a":"1"}`, "", faultRepeated, false},
		{"B69 repeated under an escaped name", `{"a":"1","\u0061":"2"}`, "", faultRepeated, false},
		{"B69 repeated, once null", `{"a":"1","a":null}`, "", faultRepeated, false},
		{"a number", `{"a":1}`, "", faultType, false},
		{"a boolean", `{"a":true}`, "", faultType, false},
		{"an array", `{"a":["1"]}`, "", faultType, false},
		{"an object", `{"a":{"a":"1"}}`, "", faultType, false},
		{"B68 NUL", `{"a":"\u0000"}`, "", faultCharacter, false},
		{"B68 line break", `{"a":"b\nc"}`, "", faultCharacter, false},
		{"nothing", ``, "", "", true},
		{"null", `null`, "", "", true},
		{"an array of objects", `[{"a":"1"}]`, "", "", true},
		{"a string alone", `"a"`, "", "", true},
		{"a form", `a=1`, "", "", true},
		{"cut", `{"a":"1"`, "", "", true},
		{"cut in an array", `{"a":[`, "", "", true},
		{"a comma too many", `{"a":"1",}`, "", "", true},
		{"a comma too few", `{"a":"1" "b":"2"}`, "", "", true},
		{"a name that is none", `{1:"1"}`, "", "", true},
		{"brackets that do not match", `{"a":[}}`, "", "", true},
		{"single quotes", `{'a':'1'}`, "", "", true},
		{"a comment", `{"a":"1"/**/}`, "", "", true},
		{"a raw line break", "{\"a\":\"b\nc\"}", "", "", true},
		{"B69 something behind", `{"a":"1"}{"a":"2"}`, "", "", true},
		{"B69 NaN", `{"a":NaN}`, "", "", true},
		{"B69 1e400", `{"a":1e400}`, "", "", true},
		{"B68 not UTF-8", "{\"a\":\"\xff\"}", "", "", true},
		{"a byte order mark", "\ufeff{\"a\":\"1\"}", "", "", true},
		{"B69 deep", `{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "", "", true},
		{"B69 very deep", `{"x":` + strings.Repeat(`{"x":`, 100_000), "", "", true},
		{"as deep as may be meant", `{"a":"1","x":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`, "1", "", false},
		{"too many", "{" + strings.TrimSuffix(strings.Repeat(`"x":"1",`, maxParams+1), ",") + "}", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseJSON([]byte(tt.text))
			if (err != nil) != tt.bad || err != nil && symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			got, fault := p.single("a")
			if fault != tt.fault || fault == "" && got != tt.want {
				t.Errorf("%q, fault %q", got, fault)
			}
		})
	}
}

func TestParamsAll(t *testing.T) {
	p, err := ParseForm("r=1&r=&x=%00&r=2")
	if err != nil {
		t.Fatal(err)
	}
	if got, fault := p.all("r"); fault != "" || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("%q, fault %q", got, fault)
	}
	if _, fault := p.all("x"); fault != faultCharacter {
		t.Errorf("fault %q", fault)
	}
	for name, want := range map[string]bool{"r": true, "x": true, "y": false} {
		if p.Has(name) != want {
			t.Errorf("Has(%q) is not %v", name, want)
		}
	}
	if p.First("r") != "" || p.First("x") != "" {
		t.Error("First gives what is repeated or faulty")
	}
}

// What both readers of forms accept, they read alike.
func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"", "a=1", "a=1&b=2&a=3", "a=%zz", "%zz=a", "a=b+c%20d", "a=%00", "a;b=1", "=1&=2", "a=é", "a=%ff", "&&&", "a==", "%61=1&a=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseForm(text)
		if err != nil {
			if strings.Count(text, "&") < maxParams {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		want, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		for _, pr := range p.pairs {
			if !slices.Contains(want[pr.name], pr.value) && pr.fault != faultEscape {
				t.Fatalf("%q: %s is %q here and %q there", text, pr.name, pr.value, want[pr.name])
			}
		}
		for name, values := range want {
			got, fault := p.single(name)
			switch {
			case len(values) > 1:
				if fault != faultRepeated {
					t.Fatalf("%q: %s is repeated, and that is not seen: %q", text, name, fault)
				}
			case fault == "" && got != values[0]:
				t.Fatalf("%q: %s is %q here and %q there", text, name, got, values[0])
			case fault == faultCharacter && cleanText(values[0]), fault != "" && fault != faultCharacter:
				t.Fatalf("%q: %s has the fault %q", text, name, fault)
			case fault == "" && !cleanText(values[0]):
				t.Fatalf("%q: %s is taken in spite of its characters", text, name)
			}
		}
	})
}

// cleanText says the same as clean, in another way.
func cleanText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// What is accepted is JSON, and is read as another reader reads it.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"1"}`, `{"a":"1","a":"2"}`, `{"a":null,"b":[{}]}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`, `{"a":"1"}x`, `{"a":[}`, `[`, `{"`, `{"a":1e999}`, `{"a" "b"}`, `{"a",1}`, `{"a":"1",}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseJSON(text)
		if err != nil {
			if symbolon.KindOf(err) != symbolon.Invalid {
				t.Fatal(err)
			}
			return
		}
		var want map[string]any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q is accepted and is no JSON: %v", text, err)
		}
		for name, value := range want {
			got, fault := p.single(name)
			s, isString := value.(string)
			switch {
			case fault == faultRepeated:
			case isString && fault == "" && got != s:
				t.Fatalf("%q: %s is %q here and %q there", text, name, got, s)
			case isString && (fault == "") != cleanText(s):
				t.Fatalf("%q: %s has the fault %q", text, name, fault)
			case value == nil && (got != "" || fault != ""):
				t.Fatalf("%q: %s is %q, fault %q", text, name, got, fault)
			case !isString && value != nil && fault != faultType:
				t.Fatalf("%q: %s has the fault %q", text, name, fault)
			}
		}
		if len(p.pairs) < len(want) {
			t.Fatalf("%q: %d of %d are read", text, len(p.pairs), len(want))
		}
	})
}

// A form and a JSON object with the same fields are the same request.
func TestFormAndJSONAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.MapOf(rapid.SampledFrom(tokenNames), rapid.String()).Draw(t, "fields")
		values := url.Values{}
		for name, value := range fields {
			values.Set(name, value)
		}
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseForm(values.Encode())
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tokenNames {
			v1, f1 := p.single(name)
			v2, f2 := q.single(name)
			if v1 != v2 || f1 != f2 {
				t.Fatalf("%s is %q (%s) in a form and %q (%s) in JSON", name, v1, f1, v2, f2)
			}
		}
	})
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestParseBasic(t *testing.T) {
	raw := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct {
		name, header, id, secret string
		fault                    bool
	}{
		{"none", "", "", "", false},
		{"plain", basic("id", "secret"), "id", "secret", false},
		{"scheme in another case", "bAsIc " + base64.StdEncoding.EncodeToString([]byte("id:secret")), "id", "secret", false},
		{"RFC6749-2.3.1-a form-decoded after the split at the first colon", raw("a%3Ab+c:p%25%2B%C3%A9%2F%3D:x"), "a:b c", "p%+é/=:x", false},
		{"CLIENTS-1 percent-encoded", raw("sym%5Fapp%5Fx:sym%5Fsecret%5Fy"), "sym_app_x", "sym_secret_y", false},
		{"CLIENTS-1 raw", raw("sym_app_x:sym_secret_y"), "sym_app_x", "sym_secret_y", false},
		{"an empty secret", raw("id:"), "id", "", false},
		{"an empty id", raw(":secret"), "", "", true},
		{"no colon", raw("id"), "", "", true},
		{"nothing", "Basic", "", "", true},
		{"nothing behind the space", "Basic ", "", "", true},
		{"not base64", "Basic !!!!", "", "", true},
		{"no padding", "Basic " + base64.RawStdEncoding.EncodeToString([]byte("a:bc")), "", "", true},
		{"NUL", raw("id:a\x00b"), "", "", true},
		{"line break", raw("id:a\r\nb"), "", "", true},
		{"an encoded line break", raw("id:a%0Ab"), "", "", true},
		{"not UTF-8", raw("id:\xff"), "", "", true},
		{"broken escape", raw("id:100%"), "", "", true},
		{"another scheme", "Bearer sym_at_x", "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Credentials
			c.ParseBasic(tt.header)
			if c.BasicID != tt.id || c.BasicSecret != tt.secret || (c.fault != "") != tt.fault {
				t.Errorf("%q is read as %q and %q, fault %q", tt.header, c.BasicID, c.BasicSecret, c.fault)
			}
			if tt.fault {
				checkDescription(t, c.fault)
			}
			if c.Basic != strings.EqualFold(strings.SplitN(tt.header, " ", 2)[0], "Basic") {
				t.Errorf("Basic is %v", c.Basic)
			}
		})
	}
}

func FuzzParseBasic(f *testing.F) {
	for _, s := range []string{"", "Basic", "Basic ", "Bearer x", basic("id", "secret"), basic("a%3Ab", "%zz"), "basic  aWQ6c2VjcmV0 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		var c Credentials
		c.ParseBasic(header)
		if c.fault != "" {
			if c.BasicID != "" || c.BasicSecret != "" {
				t.Fatalf("%q is faulty and read as %q and %q", header, c.BasicID, c.BasicSecret)
			}
			return
		}
		if c.Basic != (c.BasicID != "") {
			t.Fatalf("%q: Basic is %v and the id %q", header, c.Basic, c.BasicID)
		}
		if !cleanText(c.BasicID) || !cleanText(c.BasicSecret) {
			t.Fatalf("%q is read as %q and %q", header, c.BasicID, c.BasicSecret)
		}
		// Encoded as RFC 6749 §2.3.1 says, it is the same again.
		var again Credentials
		again.ParseBasic(basic(url.QueryEscape(c.BasicID), url.QueryEscape(c.BasicSecret)))
		if c.Basic && (again.BasicID != c.BasicID || again.BasicSecret != c.BasicSecret) {
			t.Fatalf("%q and %q become %q and %q", c.BasicID, c.BasicSecret, again.BasicID, again.BasicSecret)
		}
	})
}

// A request that is read and written again is the same request.
func TestAuthorizeRequestQuery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~é]*`)
		in := AuthorizeRequest{
			ClientID: text.Draw(t, "1"), RedirectURI: text.Draw(t, "2"), ResponseType: text.Draw(t, "3"), Scope: text.Draw(t, "4"),
			State: text.Draw(t, "5"), CodeChallenge: text.Draw(t, "6"), CodeChallengeMethod: text.Draw(t, "7"),
			LoginHint: text.Draw(t, "8"), Prompt: text.Draw(t, "9"),
			Resource: rapid.SliceOfN(rapid.StringMatching(`[ -~]+`), 0, 5).Draw(t, "10"),
		}
		p, err := ParseForm(in.Query())
		if err != nil {
			t.Fatal(err)
		}
		if out := ReadAuthorize(&p); fmt.Sprintf("%+v", out) != fmt.Sprintf("%+v", in) {
			t.Fatalf("%+v\nbecomes %+v", in, out)
		}
	})
}
