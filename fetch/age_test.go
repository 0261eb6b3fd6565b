package fetch

import (
	"net/http"
	"testing"
	"time"
)

// CIMD-5.2-a: kept by its headers, within bounds.
func TestAge(t *testing.T) {
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	const date = "Mon, 21 Sep 2026 10:00:00 GMT"
	for _, c := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"nothing said", h(), 5 * time.Minute},
		{"max-age", h("Cache-Control", "max-age=600"), 10 * time.Minute},
		{"in any case", h("Cache-Control", "Public, MAX-AGE=600"), 10 * time.Minute},
		{"quoted", h("Cache-Control", `max-age="600"`), 10 * time.Minute},
		{"s-maxage goes first", h("Cache-Control", "max-age=600, s-maxage=1200"), 20 * time.Minute},
		{"in two lines", h("Cache-Control", "public", "Cache-Control", "max-age=600"), 10 * time.Minute},
		{"less its age", h("Cache-Control", "max-age=600", "Age", "300"), 5 * time.Minute},
		{"an age that is none", h("Cache-Control", "max-age=600", "Age", "-300"), 10 * time.Minute},
		{"no less than a minute", h("Cache-Control", "max-age=1"), time.Minute},
		{"older than it may be", h("Cache-Control", "max-age=600", "Age", "6000"), time.Minute},
		{"no more than a day", h("Cache-Control", "max-age=999999999999999999999999"), 24 * time.Hour},
		{"no-store", h("Cache-Control", "max-age=600, no-store"), time.Minute},
		{"no-cache", h("Cache-Control", "no-cache, max-age=600"), time.Minute},
		{"broken", h("Cache-Control", "max-age=ten"), time.Minute},
		{"negative", h("Cache-Control", "max-age=-600"), time.Minute},
		{"repeated", h("Cache-Control", "max-age=600, max-age=900"), time.Minute},
		{"Expires", h("Expires", "Mon, 21 Sep 2026 10:30:00 GMT", "Date", date), 30 * time.Minute},
		{"Expires in the past", h("Expires", "Mon, 21 Sep 2026 09:30:00 GMT", "Date", date), time.Minute},
		{"Expires is none", h("Expires", "0", "Date", date), time.Minute},
		{"max-age goes before Expires", h("Expires", "Mon, 21 Sep 2026 10:30:00 GMT", "Date", date, "Cache-Control", "max-age=600"), 10 * time.Minute},
	} {
		o := Options{Clock: new(clock)}.withDefaults()
		if got := o.age(c.header); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever the headers say, the bounds hold.
func FuzzAge(f *testing.F) {
	f.Add("public, max-age=600", "", "")
	f.Add("s-maxage=\"1\"", "-1", "Mon, 21 Sep 2026 10:30:00 GMT")
	f.Add("max-age=9223372036854775807", "9223372036854775807", "0")
	o := Options{Clock: new(clock)}.withDefaults()
	f.Fuzz(func(t *testing.T, control, age, expires string) {
		got := o.age(http.Header{"Cache-Control": {control}, "Age": {age}, "Expires": {expires}})
		if got < o.MinAge || got > o.MaxAge {
			t.Errorf("%v is out of bounds", got)
		}
	})
}
