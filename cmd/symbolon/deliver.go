package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/fetch"
	"github.com/symbolon/symbolon/oauth"
	"github.com/symbolon/symbolon/oidc"
	"github.com/symbolon/symbolon/outbox"
	"github.com/symbolon/symbolon/webhook"
)

// deliverer makes what tells apps what they asked to be told. It reaches no other
// addresses than those that documents are fetched from, and has limits of its own.
func (s *server) deliverer() *outbox.Deliverer {
	client := fetch.New(fetch.Options{
		Loopback: s.sandbox != nil,
		Allowed:  s.fetches,
		Clock:    s.clock,
		// Deliverer bounds what runs at the same time. Several apps may have one host.
		AtOnce: 64, HostAtOnce: 16, PerMinute: 6000, HostPerMinute: 1200,
	})
	return outbox.New(outbox.Options{
		Outbox: s.store.outbox,
		Clock:  s.clock,
		Log:    s.log.Logger,
		Make:   make(map[symbolon.DeliveryKind]func(context.Context, *symbolon.Delivery) (*outbox.Message, error)),
		Post: func(ctx context.Context, m *outbox.Message) (int, error) {
			return client.Post(ctx, m.URL, m.Type, m.Body, m.Header)
		},
		Came: s.watch.delivered,
	})
}

// tellsLogouts has a Deliverer tell apps of sessions that ended.
func tellsLogouts(d *outbox.Deliverer, e *oauth.Engine, teller *oidc.Teller) {
	d.Make[symbolon.TellLogout] = func(ctx context.Context, one *symbolon.Delivery) (*outbox.Message, error) {
		address, form, err := teller.LogoutMessage(ctx, e, one)
		if err != nil || address == "" {
			return nil, err
		}
		return &outbox.Message{URL: address, Type: "application/x-www-form-urlencoded", Body: []byte(form)}, nil
	}
}

// tellsEvents has a Deliverer tell webhooks what happens to connections.
func tellsEvents(d *outbox.Deliverer, teller *webhook.Teller) {
	d.Make[symbolon.TellEvent] = func(ctx context.Context, one *symbolon.Delivery) (*outbox.Message, error) {
		m, err := teller.Message(ctx, one)
		if err != nil || m == nil {
			return nil, err
		}
		return &outbox.Message{URL: m.URL, Type: "application/json", Body: m.Body, Header: m.Header}, nil
	}
}

// expiringEvery is how often it is looked whether an hour is over in which nobody has
// looked for connections that die soon.
const expiringEvery = 10 * time.Minute

// tellExpiring has webhooks be told of connections that die soon.
func tellExpiring(ctx context.Context, e *oauth.Engine, log *slog.Logger) {
	tick := time.NewTicker(expiringEvery)
	defer tick.Stop()
	for {
		if _, err := e.TellExpiring(ctx); err != nil && ctx.Err() == nil {
			log.Warn("webhooks cannot be told of connections that die soon; it is tried again", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// delivered counts an attempt to tell an app something.
func (w *watch) delivered(o outbox.Outcome) {
	if w != nil {
		w.Delivered(o)
	}
}
