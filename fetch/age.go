package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// age returns how long an answer may be kept, within the bounds (RFC 9111
// §4.2.1): s-maxage before max-age before Expires, less the Age that it has. A
// document that must not be kept is kept for the least time all the same, since
// it is needed for more than one request of a flow.
func (o *Options) age(header http.Header) time.Duration {
	shared, private, forbidden := cacheControl(header.Values("Cache-Control"))
	var life time.Duration
	switch {
	case forbidden:
		return o.MinAge
	case shared >= 0:
		life = shared
	case private >= 0:
		life = private
	case header.Get("Expires") != "":
		expires, err := http.ParseTime(header.Get("Expires"))
		if err != nil {
			return o.MinAge // RFC 9111 §5.3: in the past
		}
		date, err := http.ParseTime(header.Get("Date"))
		if err != nil {
			date = o.Clock.Now()
		}
		life = expires.Sub(date)
	default:
		life = o.DefaultAge
	}
	if old, ok := deltaSeconds(header.Get("Age")); ok {
		life -= old
	}
	return min(max(life, o.MinAge), o.MaxAge)
}

// cacheControl reads the directives that count (RFC 9111 §5.2.2). A lifetime
// that is missing is negative; one that is repeated or broken is 0 (RFC 9111
// §4.2.1: stale).
func cacheControl(values []string) (shared, private time.Duration, forbidden bool) {
	shared, private = -1, -1
	set := func(d *time.Duration, text string) {
		seconds, ok := deltaSeconds(strings.Trim(text, `"`))
		if !ok || *d >= 0 {
			seconds = 0
		}
		*d = seconds
	}
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			name, argument, _ := strings.Cut(strings.TrimSpace(item), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				forbidden = true
			case "max-age":
				set(&private, argument)
			case "s-maxage":
				set(&shared, argument)
			}
		}
	}
	return shared, private, forbidden
}

// deltaSeconds reads a number of seconds (RFC 9111 §1.2.2); what is too large
// to count is ten years.
func deltaSeconds(text string) (time.Duration, bool) {
	const most = 10 * 365 * 24 * 60 * 60
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second, true
}
