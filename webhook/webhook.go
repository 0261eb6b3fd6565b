// Package webhook tells owners of apps what happens to their apps' connections: by a
// POST to an address of theirs, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com). What is told waits in the outbox; this package
// makes the message of it.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/seal"
)

const op = "webhook"

// secretPrefix stands before a secret wherever a person sees it (Standard Webhooks,
// Signature scheme).
const secretPrefix = "whsec_"

// Overlap is how long the secret before signs as well after a new one was made.
const Overlap = 24 * time.Hour

// Kept says what a wrapped secret is for, so that that of one app is none of another.
func kept(id symbolon.ClientID) string { return "webhook of " + string(id) }

// NewSecret makes a secret of 256 bits for an app's webhook, which has it from now on:
// the text is to be shown once. The one before goes on signing for Overlap.
func NewSecret(ring *seal.Ring, app *symbolon.App, now time.Time) (string, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	wrapped, err := ring.Wrap(kept(app.ID), secret, now)
	if err != nil {
		return "", err
	}
	h := *app.Settings.Webhook
	if len(h.Secret) > 0 {
		h.Previous, h.PreviousUntil = h.Secret, now.Add(Overlap)
	}
	h.Secret = wrapped
	app.Settings.Webhook = &h
	return secretPrefix + base64.StdEncoding.EncodeToString(secret), nil
}

// ParseKinds reads the names of event kinds, with or without "connection." in front.
// The error is of kind Invalid.
func ParseKinds(names []string) ([]symbolon.EventKind, error) {
	var kinds []symbolon.EventKind
	for _, name := range names {
		kind := symbolon.EventKind("connection." + strings.TrimPrefix(name, "connection."))
		if kind.Bit() == 0 {
			return nil, symbolon.Errorf(symbolon.Invalid, op, "there is no event of this name")
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// CheckURL reports whether a webhook may be there: an absolute https URL without user and
// fragment; in a sandbox http as well, for a program on this computer. The error, of kind
// Invalid, says why not. Which addresses it may lead to is looked at when it is reached.
func CheckURL(text string, sandbox bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > 2000 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return symbolon.Errorf(symbolon.Invalid, op, "it is no URL, or longer than 2000 characters")
	case u.Scheme != "https" && !(sandbox && u.Scheme == "http"):
		return symbolon.Errorf(symbolon.Invalid, op, "it must be https")
	case u.Hostname() == "" || u.User != nil || strings.Contains(text, "#") || strings.HasSuffix(u.Host, ":") || u.Port() == "0":
		return symbolon.Errorf(symbolon.Invalid, op, "it must be absolute, without user and fragment")
	}
	return nil
}

// Sign returns the value of webhook-signature for a message, by one secret.
func Sign(secret []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Message is what is sent.
type Message struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Teller makes messages.
type Teller struct {
	Ring  *seal.Ring
	Store symbolon.Store
	Clock symbolon.Clock
	// Subject returns the name by which an app knows an account.
	Subject func(app *symbolon.App, account symbolon.AccountID) string
}

// body is the message itself. No token is in it, nor anything that is worth one.
type body struct {
	Type      symbolon.EventKind `json:"type"`
	Timestamp time.Time          `json:"timestamp"`
	Data      data               `json:"data"`
}

type data struct {
	ClientID    string `json:"client_id"`
	Connection  string `json:"connection,omitempty"`
	Account     string `json:"account,omitempty"`
	Label       string `json:"label,omitempty"`
	Scope       string `json:"scope,omitempty"`
	Why         string `json:"why,omitempty"`
	ConnectedAt stamp  `json:"connected_at,omitzero"`
	RefreshedAt stamp  `json:"refreshed_at,omitzero"`
	ExpiresAt   stamp  `json:"expires_at,omitzero"`
	EndedAt     stamp  `json:"ended_at,omitzero"`
	UsedFrom    string `json:"used_from,omitempty"`
}

// stamp is a time in RFC 3339.
type stamp = time.Time

// Message makes what is sent of a delivery, now: to the address and by the secrets that
// the app has now. It is nil when there is nothing to tell any more.
func (t *Teller) Message(ctx context.Context, d *symbolon.Delivery) (*Message, error) {
	var event symbolon.Event
	if event.UnmarshalText(d.Body) != nil {
		return nil, nil // it never gets better
	}
	apps, err := t.Store.Apps(ctx, symbolon.AppQuery{ID: d.Client, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(apps) == 0 || apps[0].Settings.Webhook.Mask()&event.Type.Bit() == 0 {
		return nil, nil
	}
	app := &apps[0]
	b := body{Type: event.Type, Timestamp: d.MadeAt, Data: data{ClientID: app.ClientID(), Why: event.Why}}
	if d.Account != "" {
		b.Data.Account = t.Subject(app, d.Account)
	}
	if event.Connection != (symbolon.ConnectionID{}) {
		b.Data.Connection = event.Connection.String()
		rows, err := t.Store.Connections(ctx, symbolon.ConnectionQuery{ID: event.Connection, Client: d.Client, Limit: 1})
		if err != nil {
			return nil, err
		}
		if moot(&event, d, rows) {
			return nil, nil
		}
		for i := range rows {
			b.Data.of(&rows[i])
		}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, symbolon.Wrap(symbolon.Internal, op, err)
	}
	return t.signed(app, d.ID.String(), text)
}

// moot reports whether what was to be told is true no more: a warning of a connection
// that was refreshed meanwhile, or has ended.
func moot(event *symbolon.Event, d *symbolon.Delivery, rows []symbolon.Connection) bool {
	if event.Type != symbolon.EventExpiring && event.Type != symbolon.EventFailing {
		return false
	}
	if len(rows) == 0 || !rows[0].EndedAt.IsZero() {
		return true
	}
	return rows[0].RefreshedAt.After(d.MadeAt)
}

// of fills in what the connection's row says.
func (b *data) of(c *symbolon.Connection) {
	b.Label, b.Scope = c.Label, c.Scope.String()
	b.ConnectedAt, b.RefreshedAt, b.ExpiresAt, b.EndedAt = c.CreatedAt, c.RefreshedAt, c.ExpiresAt, c.EndedAt
	if c.UsedFrom.IsValid() {
		b.UsedFrom = c.UsedFrom.String()
	}
}

// signed returns the message with its headers (Standard Webhooks, Webhook headers). The
// time is that of the attempt, so that one that is sent again a day later is not taken
// for one that was recorded and replayed.
func (t *Teller) signed(app *symbolon.App, id string, text []byte) (*Message, error) {
	h, now := app.Settings.Webhook, t.Clock.Now()
	secrets := [][]byte{h.Secret}
	if len(h.Previous) > 0 && now.Before(h.PreviousUntil) {
		secrets = append(secrets, h.Previous)
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	var signatures []string
	for _, wrapped := range secrets {
		secret, err := t.Ring.Unwrap(kept(app.ID), wrapped)
		if err != nil {
			return nil, symbolon.Wrap(symbolon.Internal, op, errors.New("the secret of the webhook cannot be opened"))
		}
		signatures = append(signatures, Sign(secret, id, timestamp, text))
	}
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", timestamp)
	header.Set("webhook-signature", strings.Join(signatures, " "))
	return &Message{URL: h.URL, Header: header, Body: text}, nil
}
