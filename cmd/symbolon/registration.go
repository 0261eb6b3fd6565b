package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/symbolon/symbolon/fetch"
	"github.com/symbolon/symbolon/web"
)

// maxFetched bounds what is fetched of apps, in bytes: a key set is the largest.
const maxFetched = 64 << 10

// fetcher gets what apps have elsewhere: their metadata documents and key sets.
func (s *server) fetcher() func(ctx context.Context, url string) ([]byte, time.Duration, error) {
	client := fetch.New(fetch.Options{
		MaxBytes: maxFetched,
		Loopback: s.sandbox != nil, // whoever tries things out has them on this computer
		Allowed:  s.fetches,
		Clock:    s.clock,
	})
	return func(ctx context.Context, url string) ([]byte, time.Duration, error) {
		doc, err := client.Get(ctx, url)
		return doc.Body, doc.MaxAge, err
	}
}

// objectFetcher gets what apps have elsewhere of requests: the JWTs at their request
// URIs.
func (s *server) objectFetcher() func(ctx context.Context, url string) ([]byte, error) {
	client := fetch.New(fetch.Options{
		MaxBytes: maxFetched,
		Types:    []string{"application/oauth-authz-req+jwt", "application/jwt"}, // RFC 9101 §5.2.3
		Loopback: s.sandbox != nil,
		Allowed:  s.fetches,
		Clock:    s.clock,
	})
	return func(ctx context.Context, url string) ([]byte, error) {
		doc, err := client.Get(ctx, url)
		return doc.Body, err
	}
}

// expireEvery is how often rows are deleted of apps that registered themselves and
// that no one has allowed in time.
const expireEvery = time.Hour

// recordEvery is how often uses of secrets are written down.
const recordEvery = time.Minute

// recordUses writes down which secrets are used, until the context ends.
func recordUses(ctx context.Context, h *web.Handler, log *slog.Logger) {
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := h.Engine.RecordUses(ctx); err != nil && ctx.Err() == nil {
			log.Debug("the last uses of secrets cannot be written down; those that follow are", "cause", err.Error())
		}
	}
}

// expire deletes them, at the start and then now and then.
func expire(ctx context.Context, h *web.Handler, log *slog.Logger) {
	if !h.Engine.Offers().Registration {
		return
	}
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		if n, err := h.Engine.Expire(ctx); err != nil && ctx.Err() == nil {
			log.Warn("apps that registered themselves and were never used cannot be deleted; it is tried again in an hour", "cause", err.Error())
		} else if n > 0 {
			log.Info("apps that registered themselves and were never used are deleted", "apps", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
