package symbolon

import (
	"context"
	"encoding/json"
	"time"
)

// Trail keeps the last requests of each app, with what decided them, for whoever
// mends the app. It is a log: what it loses, nobody misses but who wanted to read
// it. So it promises less than Store. A call that returns has written, and a crash
// may undo it; an error of kind Busy may have written some.
//
// It is bounded, whoever sends what: see TrailBucket.
type Trail interface {
	// Record adds entries, in their order, and lets go of those that are too many: what
	// has one app, bucket and line is counted together (TrailEntry.Line).
	Record(ctx context.Context, entries []TrailEntry, keep int) error
	// Trail returns the entries that the query selects, the latest first.
	Trail(ctx context.Context, q TrailQuery) ([]TrailEntry, error)
}

// TrailBucket says who can have made a request. Those of one bucket never push out
// those of another, so that no stranger can hide what an app did.
type TrailBucket uint8

const (
	// NamedNoApp: it named no app that there is. All of them share one bucket.
	NamedNoApp TrailBucket = iota
	// NamedApp: it named the app, as anyone can.
	NamedApp
	// ProvenApp: it had something that only the app has, such as its secret, or a code
	// or token of its own.
	ProvenApp
	// ProvenStranger is ProvenApp of an app that registered itself.
	ProvenStranger
)

// Bounds of a Trail.
const (
	// TrailLife is how long an entry is kept at most.
	TrailLife = 30 * 24 * time.Hour
	// MaxTrailEntry bounds an entry as JSON, and MaxTrailValue each text in it, in
	// bytes.
	MaxTrailEntry, MaxTrailValue = 8 << 10, 512
	// TrailCheckEvery is after how many bytes written a store looks whether all
	// together are too many.
	TrailCheckEvery = 1 << 20
)

// TrailBytes is how many bytes of entries each bucket has room for, of all apps
// together: the oldest go first.
var TrailBytes = [...]int{NamedNoApp: 1 << 20, NamedApp: 24 << 20, ProvenApp: 32 << 20, ProvenStranger: 8 << 20}

// TrailQuery selects entries of a Trail. Unless RequestID is set, it is about one app,
// or about the requests that named none.
type TrailQuery struct {
	// RequestID selects the one entry of a request, whichever app it is of.
	RequestID string
	// Client is whose entries; empty selects those of the bucket NamedNoApp.
	Client ClientID
	// Failed leaves out what succeeded.
	Failed bool
	// After and Before narrow it to the entries that came later than one, and earlier.
	After, Before int64
	// Limit is at least 1.
	Limit int
}

// TrailEntry is one request as it is shown to the owner of the app. There is no secret
// in it. As JSON it has MaxTrailEntry bytes at most.
type TrailEntry struct {
	// ID is given by the store: it grows with each entry.
	ID     int64       `json:"-"`
	Bucket TrailBucket `json:"-"`
	// RequestID is that of the answer and of the log.
	RequestID string    `json:"request_id"`
	At        time.Time `json:"at"`
	// Micros is how long it took, in microseconds.
	Micros int64 `json:"us"`
	// Client, Account and Connection (32 hex digits) are set as far as they are known.
	Client     ClientID  `json:"client_id,omitempty"`
	Account    AccountID `json:"account,omitempty"`
	Connection string    `json:"connection,omitempty"`
	// Endpoint is what the route is for, such as "token"; Route is its path.
	Endpoint string `json:"endpoint"`
	Route    string `json:"route"`
	Method   string `json:"method"`
	// Address is the caller's, unless the caller is a person's browser.
	Address string `json:"address,omitempty"`
	Status  int    `json:"status"`
	// Error is the error code of the answer, Reason the finer one of the metrics, and
	// Description what the caller was told. They are empty when nothing was refused.
	Error       string `json:"error,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Description string `json:"error_description,omitempty"`
	// Sent is what arrived, in its order. More counts what there was no room for.
	Sent []TrailValue `json:"sent,omitempty"`
	More int          `json:"more,omitempty"`
	// Why is set when something was refused whose reason can be said better than by
	// Description.
	Why *Explanation `json:"why,omitempty"`
}

// Line says which entries of an app are counted together, and how many of them are kept
// where keep are of those that failed: these are one line, and what succeeded is one for
// each endpoint, with an eighth of the room, so that what is asked all the time does not
// push out what is rare.
func (e *TrailEntry) Line(keep int) (line string, kept int) {
	if e.Failed() {
		return "", keep
	}
	return e.Endpoint, max(keep/8, 1)
}

// Failed reports whether the request was refused.
func (e *TrailEntry) Failed() bool { return e.Error != "" }

// TrailValue is something that arrived: a parameter, or a header.
type TrailValue struct {
	// In is "query", "body", "header", or "in" and the header that it stood in.
	In   string `json:"in"`
	Name string `json:"name"`
	// Value is set when it may be shown. Otherwise Length is how many bytes it had and
	// Kind what it looks like, as far as that can be told.
	Value  string `json:"value,omitempty"`
	Masked bool   `json:"masked,omitempty"`
	Length int    `json:"length,omitempty"`
	Kind   string `json:"kind,omitempty"`
	// Notes are what is odd about it.
	Notes []string `json:"notes,omitempty"`
}

// Explanation says which check refused a request, and by what. It is for the owner of
// the app, never for who sent the request. There is no secret in it.
type Explanation struct {
	// Check is what was checked, in a few words; Source is where the rule stands.
	Check  string `json:"check"`
	Source string `json:"source,omitempty"`
	// Compared sets what was expected beside what came.
	Compared []Comparison `json:"compared,omitempty"`
	// Facts are sentences that say more.
	Facts []string `json:"facts,omitempty"`
	// Mend says what to do.
	Mend string `json:"mend,omitempty"`
}

// Comparison is what was expected beside what came. An empty Came means that nothing
// did; Expected may have several, of which one would have done.
type Comparison struct {
	What     string   `json:"what"`
	Expected []string `json:"expected,omitempty"`
	Came     string   `json:"came,omitempty"`
}

// Encode returns an entry as JSON. What makes it longer than MaxTrailEntry is left
// out, the last that arrived first.
func (e *TrailEntry) Encode() ([]byte, error) {
	for {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, Wrap(Internal, "trail", err)
		}
		if len(text) <= MaxTrailEntry {
			return text, nil
		}
		switch n := len(e.Sent); {
		case n > 0:
			keep := n * 3 / 4
			e.More += n - keep
			e.Sent = e.Sent[:keep]
		case e.Why != nil && len(e.Why.Compared) > 0:
			why := *e.Why
			why.Compared = why.Compared[:len(why.Compared)-1]
			e.Why = &why
		case e.Why != nil:
			e.Why = nil
		default:
			e.Description, e.Address, e.Account = "", "", ""
			if len(text) > 2*MaxTrailEntry {
				return nil, Errorf(Invalid, "trail", "the entry is too long")
			}
			return json.Marshal(e)
		}
	}
}

// DecodeTrailEntry reads what Encode wrote.
func DecodeTrailEntry(text []byte) (TrailEntry, error) {
	var e TrailEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return e, Wrap(Internal, "trail", err)
	}
	return e, nil
}

// Check reports what no store may do, as an error of kind Invalid.
func (q *TrailQuery) Check(op string) error {
	if q.Limit < 1 {
		return Errorf(Invalid, op, "the limit is %d, want at least 1", q.Limit)
	}
	return nil
}
