package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// TrailView is a request of the trail as it is shown: on a page, or in a terminal. What
// arrived may be hostile.
type TrailView struct {
	RequestID   string
	When, Took  string
	Endpoint    string // "token"
	Method      string
	Route       string
	Status      int
	Code        string
	Description string
	Failed      bool
	// Unproven says that anyone can have sent it.
	Unproven bool
	Address  string
	Client   string
	Account  string
	// Connection is an id, of 32 hex digits.
	Connection string

	// Check, Source, Compared, Facts and Mend are those of symbolon.Explanation, with
	// what the connection's row says now.
	Check, Source string
	Compared      []ComparedView
	Facts         []string
	Mend          string

	Sent []SentView
	More int
}

// Stamp is When as HTML has it.
func (v TrailView) Stamp() string { return strings.Replace(v.When, " UTC", "Z", 1) }

// ComparedView is something that came beside what was expected, with what differs marked
// in both where they are to be the same.
type ComparedView struct {
	What string
	Came []Part
	// Nothing says that nothing came.
	Nothing  bool
	Expected []Candidate
	// Hint is that of a Mismatch.
	Hint string
}

// SentView is a parameter or a header as it is shown.
type SentView struct {
	In, Name string
	// Text is its value, with what cannot be seen spelled out; when it is Masked, Kind
	// and Length stand for it.
	Text   string
	Masked bool
	Kind   string
	Length int
	Notes  []string
}

// sameText is what is compared character by character.
var sameText = []string{
	"redirect_uri", "htu", "htm", "typ", "client_id", "grant_type", "scope", "code_challenge_method", "client authentication",
	"code_challenge, by S256 of the code_verifier", "thumbprint of the key", "resource of the token",
}

// NewTrailView returns what is shown of an entry. Connection is the row that the entry
// names as it is now, or nil.
func NewTrailView(e *symbolon.TrailEntry, connection *symbolon.Connection) TrailView {
	v := TrailView{
		RequestID: e.RequestID, When: e.At.UTC().Format("2006-01-02 15:04:05.000 UTC"), Took: fmt.Sprintf("%.2f ms", float64(e.Micros)/1000),
		Endpoint: e.Endpoint, Method: e.Method, Route: e.Route, Status: e.Status, Code: e.Error, Description: e.Description, Failed: e.Failed(),
		Unproven: e.Bucket <= symbolon.NamedApp, Address: e.Address, Client: string(e.Client), Account: string(e.Account), Connection: e.Connection, More: e.More,
	}
	if why := e.Why; why != nil {
		v.Check, v.Source, v.Mend = why.Check, why.Source, why.Mend
		for _, c := range why.Compared {
			v.Compared = append(v.Compared, newComparedView(&c))
		}
		v.Facts = slices.Clone(why.Facts)
	}
	if connection != nil && v.Failed && connection.CreatedAt.Before(e.At) {
		v.Facts = append(v.Facts, connectionFact(connection))
	}
	for _, s := range e.Sent {
		v.Sent = append(v.Sent, SentView{In: s.In, Name: clean(s.Name, maxName), Text: visible(s.Value), Masked: s.Masked, Kind: s.Kind, Length: s.Length, Notes: s.Notes})
	}
	return v
}

func newComparedView(c *symbolon.Comparison) ComparedView {
	v := ComparedView{What: c.What, Nothing: c.Came == "", Came: []Part{{Text: clean(c.Came, maxPassage)}}}
	if c.Came != "" && len(c.Expected) > 0 && slices.Contains(sameText, c.What) {
		m := NewMismatch(c.Came, c.Expected)
		v.Came, v.Expected = m.SentParts, m.Registered
		if c.What == "redirect_uri" {
			v.Hint = m.Hint
		}
		for i := range v.Expected {
			v.Expected[i].Nearest = v.Expected[i].Nearest && len(v.Expected) > 1
		}
		return v
	}
	for _, e := range c.Expected {
		v.Expected = append(v.Expected, Candidate{URI: e, Parts: []Part{{Text: clean(e, maxPassage)}}})
	}
	return v
}

// connectionFact says how a connection stands now.
func connectionFact(c *symbolon.Connection) string {
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
	if !c.EndedAt.IsZero() {
		return fmt.Sprintf("The connection was ended on %s: %s. Its current refresh token was number %d, since %s.", at(c.EndedAt), c.EndedBy, c.Seq, at(c.RefreshedAt))
	}
	return fmt.Sprintf("The connection has not been ended. Its current refresh token is number %d, since %s; it expires on %s unless it is refreshed.", c.Seq, at(c.RefreshedAt), at(c.ExpiresAt))
}
