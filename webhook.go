package symbolon

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// EventKind is something that happens to a connection, of which an app's owner may be
// told by a webhook.
type EventKind string

const (
	// EventConnected: the connection was born.
	EventConnected EventKind = "connection.connected"
	// EventRefreshed: a refresh token of it was traded.
	EventRefreshed EventKind = "connection.refreshed"
	// EventFailing: a refresh was refused although its refresh token is genuine.
	EventFailing EventKind = "connection.failing"
	// EventExpiring: it dies soon unless it is refreshed.
	EventExpiring EventKind = "connection.expiring"
	// EventEnded: it is over.
	EventEnded EventKind = "connection.ended"
	// EventReplayed: a code or a refresh token of it was used a second time, for which
	// it is over.
	EventReplayed EventKind = "connection.replayed"
)

// EventKinds returns every kind there is, in the order of their bits in EventMask.
func EventKinds() []EventKind {
	return []EventKind{EventConnected, EventRefreshed, EventFailing, EventExpiring, EventEnded, EventReplayed}
}

// EventMask is a set of event kinds: bit n is that of EventKinds()[n].
type EventMask int64

// Bit returns the set with this kind alone; it is empty for one that is none.
func (k EventKind) Bit() EventMask {
	if n := slices.Index(EventKinds(), k); n >= 0 {
		return 1 << n
	}
	return 0
}

// Webhook is where an app's owner is told what happens to the app's connections.
type Webhook struct {
	// URL is an https URL.
	URL string `json:"url"`
	// Secret is what messages are signed with, wrapped by seal.Ring.Wrap. Previous is
	// the one before, which signs as well until PreviousUntil.
	Secret        []byte    `json:"secret"`
	Previous      []byte    `json:"previous,omitempty"`
	PreviousUntil time.Time `json:"previous_until,omitzero"`
	// Events are the kinds to tell of; empty means every one but refreshed.
	Events []EventKind `json:"events,omitempty"`
}

// Kinds returns the kinds that are told.
func (h *Webhook) Kinds() []EventKind {
	if h == nil || len(h.Events) > 0 {
		if h == nil {
			return nil
		}
		return h.Events
	}
	return slices.DeleteFunc(EventKinds(), func(k EventKind) bool { return k == EventRefreshed })
}

// Mask returns the kinds that are told; none for nil.
func (h *Webhook) Mask() EventMask {
	var m EventMask
	for _, k := range h.Kinds() {
		m |= k.Bit()
	}
	return m
}

// TellEvent: an Event, to the webhook of the app. Its Body is what AppendText wrote.
const TellEvent DeliveryKind = "event"

// Event is what is kept of something that happened to a connection, until an app's
// owner has been told. What else they are told is read when they are.
type Event struct {
	Type EventKind
	// Connection is what it is about. It is zero when it is about all connections
	// that an account had to the app or, without an account in the delivery, all of
	// the app.
	Connection ConnectionID
	// Why says more: a Reason, or in a sentence.
	Why string
}

// eventText is the form in which an event is kept. The stores write it in SQL, too.
type eventText struct {
	Type       EventKind `json:"type"`
	Connection string    `json:"connection"`
	Why        string    `json:"why"`
}

// AppendText appends the event as it is kept in a delivery.
func (e *Event) AppendText(b []byte) ([]byte, error) {
	t := eventText{Type: e.Type, Why: e.Why}
	if e.Connection != (ConnectionID{}) {
		t.Connection = e.Connection.String()
	}
	text, err := json.Marshal(t)
	if err != nil {
		return nil, Wrap(Internal, "write event", err)
	}
	return append(b, text...), nil
}

// UnmarshalText reads what AppendText wrote. The error is of kind Invalid.
func (e *Event) UnmarshalText(text []byte) error {
	var t eventText
	*e = Event{}
	if json.Unmarshal(text, &t) != nil || t.Type.Bit() == 0 {
		return Errorf(Invalid, "read event", "it is no event")
	}
	if t.Connection != "" {
		id, err := hex.DecodeString(t.Connection)
		if err != nil || len(id) != len(e.Connection) {
			return Errorf(Invalid, "read event", "it is no event")
		}
		copy(e.Connection[:], id)
	}
	e.Type, e.Why = t.Type, t.Why
	return nil
}

// NewEvent returns the delivery that tells an app's owner of an event.
func NewEvent(client ClientID, account AccountID, event Event, now time.Time) Delivery {
	body, _ := event.AppendText(nil) // of strings: it cannot fail
	return Delivery{
		ID: NewDeliveryID(), Kind: TellEvent, Client: client, Account: account, Body: body,
		MadeAt: now, ExpiresAt: now.Add(DeliveryLife),
	}
}

// EndEvents returns the kinds of event that an end for a reason is.
func EndEvents(reason Reason) []EventKind {
	if reason == ByCodeReplay || reason == ByRefreshReplay {
		return []EventKind{EventReplayed, EventEnded}
	}
	return []EventKind{EventEnded}
}

// ByMass is what an event says of connections that ended with all of the account's
// or of the app's: there is no row that would know why.
const ByMass Reason = "everything of the account or the app was ended"
