package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

// readSectorURI reads the list at sector_identifier_uri, which must have every redirect
// URI of the app: then, and only then, its host speaks for them (OpenID Connect Core
// §8.1, Dynamic Client Registration §5). It is read once, at registration. The end of a
// sentence whose subject is the field is returned, or an error when nothing can be said.
func (e *Engine) readSectorURI(ctx context.Context, m *metadata, now time.Time) (why string, err error) {
	if m.sectorURI == "" {
		return "", nil
	}
	u, err := url.Parse(m.sectorURI)
	if err != nil || e.cfg.Fetch == nil {
		return "cannot be fetched by this server.", nil
	}
	busy := func(wait time.Duration, cause error) error {
		r := refuse(TooManyRequests, "Too many documents of apps that no one has allowed yet are being fetched; wait as long as Retry-After says.")
		r.RetryAfter, r.Err = wait, cause
		return r
	}
	// Anyone may register: it is a fetch for a stranger (docs/decisions/0018).
	if wait := e.strangers.tooMany(m.sectorURI, now); wait > 0 {
		return "", busy(wait, nil)
	}
	body, _, err := e.cfg.Fetch(ctx, m.sectorURI)
	if symbolon.KindOf(err) == symbolon.Busy {
		return "", busy(30*time.Second, err)
	}
	var listed []string
	switch {
	case err != nil:
		return "cannot be fetched: its server must answer 200 with application/json, from a public address and at once.", nil
	case json.Unmarshal(body, &listed) != nil || listed == nil:
		return "must lead to a JSON array of strings, which are redirect URIs.", nil
	}
	for _, uri := range m.redirectURIs {
		if !slices.Contains(listed, uri) {
			return "must lead to a list that has every one of redirect_uris, character by character.", nil
		}
	}
	if m.openID.Pairwise {
		m.openID.Sector = sectorOf(u)
	}
	return "", nil
}
