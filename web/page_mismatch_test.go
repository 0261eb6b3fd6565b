package web

import (
	"strings"
	"testing"
)

func TestMismatch(t *testing.T) {
	const registered = "https://weathermill.example/oauth/callback"
	for _, c := range []struct {
		sent, hint     string
		here, expected string // the parts that differ, of what was sent and of what is registered
	}{
		{registered + "/", "slash", "/", ""},
		{"https://weathermill.example/oauth/callbac", "path", "", "k"},
		{"http://weathermill.example/oauth/callback", "scheme", "", "s"},
		{"https://www.weathermill.example/oauth/callback", "www", "www.", ""},
		{"https://www.weathermill.example/oauth/other", "", "www.weathermill.example/oauth/other", "weathermill.example/oauth/callback"},
		{"https://www.other.example/oauth/callback", "host", "www.other", "weathermill"},
		{"https://weathermall.example/oauth/callback", "host", "a", "i"},
		{"https://weathermill.example:8443/oauth/callback", "port", ":8443", ""},
		{"https://weathermill.example/oauth2/callback", "path", "2", ""},
		{"https://weathermill.example/oauth/callback?x=1", "query", "?x=1", ""},
		{"https://weathermill.example/oauth/callback#top", "fragment", "#top", ""},
		{"https://weathermill.example/OAuth/callback", "case", "OA", "oa"},
		{registered + " ", "space", "‹U+0020›", ""},
		{"https%3A%2F%2Fweathermill.example%2Foauth%2Fcallback", "encoding", "%3A%2F%2Fweathermill.example%2Foauth%2F", "://weathermill.example/oauth/"},
		{"https://other.example/x", "", "other.example/x", "weathermill.example/oauth/callback"},
		{"", "", "", registered},
	} {
		m := NewMismatch(c.sent, []string{"http://127.0.0.1/cb", registered})
		if c.sent == "" {
			m = NewMismatch(c.sent, []string{registered})
		}
		first := m.Registered[0]
		if !first.Nearest || first.URI != registered {
			t.Errorf("%s: nearest is %q", c.sent, first.URI)
		}
		if m.Hint != c.hint {
			t.Errorf("%s: hint %q, want %q", c.sent, m.Hint, c.hint)
		}
		if here, expected := differing(m.SentParts), differing(first.Parts); here != c.here || expected != c.expected {
			t.Errorf("%s: differs in %q and %q, want %q and %q", c.sent, here, expected, c.here, c.expected)
		}
	}
}

func differing(parts []Part) string {
	var s strings.Builder
	for _, p := range parts {
		if p.Differs {
			s.WriteString(p.Text)
		}
	}
	return s.String()
}

func TestMismatchOrder(t *testing.T) {
	m := NewMismatch("https://c.example/", []string{"https://a.example/", "https://b.example/", "https://c.example", "https://d.example/"})
	var got []string
	for _, c := range m.Registered {
		got = append(got, c.URI)
	}
	if want := "https://c.example https://a.example/ https://b.example/ https://d.example/"; strings.Join(got, " ") != want {
		t.Errorf("order %q, want %q", got, want)
	}
	if m := NewMismatch("https://c.example/", nil); m.Registered != nil || m.Hint != "" || differing(m.SentParts) != m.Sent {
		t.Errorf("nothing registered: %+v", m)
	}
	if m := NewMismatch(strings.Repeat("x", 1<<20), make([]string, 1000)); len(m.Sent) > maxCompared || len(m.Registered) > maxRegistered {
		t.Errorf("%d bytes and %d candidates", len(m.Sent), len(m.Registered))
	}
}

// Every hint has its sentence: one that has none would leave an empty line.
func TestEveryHintIsSaid(t *testing.T) {
	p := newPages(t)
	for _, hint := range []string{"slash", "scheme", "host", "www", "port", "path", "query", "fragment", "case", "space", "encoding"} {
		m := NewMismatch("a", []string{"b"})
		m.Hint = hint
		page := drawn(t, p, &ErrorPage{Mismatch: m})
		if !strings.Contains(page, `<p class="hint">`) || strings.Contains(page, `<p class="hint"></p>`) {
			t.Errorf("nothing is said about %q", hint)
		}
	}
}

func FuzzMismatch(f *testing.F) {
	f.Add("https://a.example/cb", "https://a.example/cb/")
	f.Add("\xff\u202e", "%zz")
	f.Add("aaa", "aaaa")
	f.Fuzz(func(t *testing.T, a, b string) {
		m := NewMismatch(a, []string{b})
		c := m.Registered[0]
		for _, side := range []struct {
			parts []Part
			whole string
		}{{m.SentParts, m.Sent}, {c.Parts, c.URI}} {
			joined, marked := "", 0
			for _, p := range side.parts {
				joined += p.Text
				if p.Differs {
					marked++
				}
			}
			if joined != side.whole {
				t.Errorf("the parts of %q make %q", side.whole, joined)
			}
			if want := m.Sent != c.URI; (marked == 1) != want {
				t.Errorf("%q against %q: %d parts marked", m.Sent, c.URI, marked)
			}
		}
		// Putting one middle in the other's place makes the other.
		if m.Sent != c.URI {
			swapped := ""
			for i, p := range m.SentParts {
				if p.Differs {
					p = c.Parts[i]
				}
				swapped += p.Text
			}
			if swapped != c.URI {
				t.Errorf("%q against %q: swapped makes %q", m.Sent, c.URI, swapped)
			}
		}
	})
}
