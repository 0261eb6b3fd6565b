package signin

import (
	"strings"
	"testing"
)

const phcSample = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestParsePHC(t *testing.T) {
	h, err := parsePHC(phcSample)
	if err != nil {
		t.Fatal(err)
	}
	if h.cost != standard || string(h.salt) != "somesaltsomesalt" || len(h.tag) != 32 {
		t.Errorf("parsed %+v", h)
	}
	if h.String() != phcSample {
		t.Errorf("made again as %s", h)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"other function":     {"argon2id", "argon2i"},
		"older version":      {"v=19", "v=16"},
		"no version":         {"$v=19", ""},
		"huge memory":        {"m=19456", "m=4194304"},
		"memory overflow":    {"m=19456", "m=4294968320"},
		"many passes":        {"t=2", "t=1000"},
		"too much work":      {"m=19456,t=2", "m=131072,t=9"},
		"many lanes":         {"p=1", "p=255"},
		"no lanes":           {"p=1", "p=0"},
		"too little memory":  {"m=19456", "m=7"},
		"sign":               {"t=2", "t=+2"},
		"leading zero":       {"t=2", "t=02"},
		"order":              {"m=19456,t=2", "t=2,m=19456"},
		"data parameter":     {"p=1", "p=1,data=AAAA"},
		"short salt":         {"c29tZXNhbHRzb21lc2FsdA", "c29t"},
		"padded salt":        {"c29tZXNhbHRzb21lc2FsdA", "c29tZXNhbHRzb21lc2FsdA=="},
		"loose trailing bit": {"c29tZXNhbHRzb21lc2FsdA", "c29tZXNhbHRzb21lc2FsdB"},
		"line break":         {"c29tZXNhbHRz", "c29tZXN\nhbHRz"},
		"long salt":          {"c29tZXNhbHRzb21lc2FsdA", strings.Repeat("AAAA", 30)},
		"short tag":          {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AAEC"},
		"more":               {"HR4f", "HR4f$"},
		"end":                {"$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", ""},
	} {
		s := strings.Replace(phcSample, change[0], change[1], 1)
		if s == phcSample && name != "more" {
			t.Fatalf("%s: the sample has no %q", name, change[0])
		}
		if name == "more" {
			s += "$"
		}
		if h, err := parsePHC(s); err == nil {
			t.Errorf("%s: %q parsed as %+v", name, s, h)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(phcSample)
	f.Add("$argon2id$v=19$m=47104,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA\n")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q is made again as %q", s, h)
		}
		if h.memory > maxMemory || h.time > maxTime || h.time == 0 || h.threads == 0 || h.memory*h.time > maxWork {
			t.Errorf("%q asks for %+v", s, h.cost)
		}
	})
}
