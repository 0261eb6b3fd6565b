package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon/oauth"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// readBody reads a body whole. The error is an *httpError.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &httpError{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "The body is larger than 64 KiB."}
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	var body []byte
	var err error
	if n := r.ContentLength; n > 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return nil, tooLarge
	case err != nil:
		return nil, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The body could not be read to its end."}
	}
	return body, nil
}

// readParams reads the parameters of a POST of the API: a form or a JSON object
// (RFC 6749 §3.2, CONTRACT.md). Parameters of the query are never taken for
// those of the body.
func readParams(w http.ResponseWriter, r *http.Request) (oauth.Params, error) {
	var none oauth.Params
	body, err := readBody(w, r)
	if err != nil {
		return none, err
	}
	if r.URL.RawQuery != "" {
		query, err := oauth.ParseForm(r.URL.RawQuery)
		if err != nil || oauth.HasTokenParams(&query) {
			return none, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "Parameters of this request belong in the body, never in the query, where logs would keep them."}
		}
	}
	var p oauth.Params
	switch mediaType(r.Header) {
	case "application/x-www-form-urlencoded":
		if looksLikeJSON(body) {
			return none, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The body looks like JSON; send Content-Type: application/json.", body: body}
		}
		p, err = oauth.ParseForm(string(body))
	case "application/json":
		p, err = oauth.ParseJSON(body)
	default:
		if len(body) == 0 {
			return none, nil
		}
		return none, &httpError{status: http.StatusUnsupportedMediaType, code: "invalid_request", description: "The body must be application/x-www-form-urlencoded or application/json, in UTF-8; say which in Content-Type.", body: body}
	}
	if err != nil {
		return none, &httpError{status: http.StatusBadRequest, code: "invalid_request", description: "The body cannot be read: it must be a form, or one flat JSON object of strings, with at most 100 members."}
	}
	return p, nil
}

// looksLikeJSON reports whether a body begins as a JSON object does. As a form it
// would have no parameter that we know, and the refusal would mislead.
func looksLikeJSON(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

// mediaType returns the type of the body in lower case, or "" when it is
// missing, repeated, or in another character set than UTF-8.
func mediaType(header http.Header) string {
	values := header["Content-Type"]
	if len(values) != 1 {
		return ""
	}
	switch values[0] {
	case "application/x-www-form-urlencoded", "application/json":
		return values[0] // what nearly everyone sends
	}
	t, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return ""
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return t
}
