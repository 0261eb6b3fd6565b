package web

import (
	"net/http"
	"strconv"
	"strings"
)

// prefersHTML reports whether a request comes from something that shows pages:
// it names text/html, and wants it at least as much as JSON. "*/*" names
// nothing (RFC 9110 §12.5.1).
func prefersHTML(header http.Header) bool {
	html, json := 0.0, 0.0
	for _, value := range header["Accept"] {
		for part := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "text/html", "application/xhtml+xml":
				html = max(html, quality(params))
			case "application/json":
				json = max(json, quality(params))
			}
		}
	}
	return html > 0 && html >= json
}

// quality returns the q of a media range's parameters: 1 when there is none, 0
// when it is no number from 0 to 1.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
