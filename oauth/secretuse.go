package oauth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// maxUses bounds the uses of secrets that wait to be recorded.
const maxUses = 10_000

// uses are uses of secrets that are not recorded yet. A use costs nothing but a look at
// the app that is in memory anyhow, until the record is older than
// symbolon.SecretUsePrecision.
type uses struct {
	mu   sync.Mutex
	last map[secretUse]time.Time
}

type secretUse struct {
	client symbolon.ClientID
	secret string
}

// note keeps in mind that a secret was used.
func (u *uses) note(app *symbolon.App, secret *symbolon.Secret, now time.Time) {
	if now.Sub(secret.UsedAt) < symbolon.SecretUsePrecision {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[secretUse]time.Time)
	}
	if key := (secretUse{app.ID, secret.ID}); len(u.last) < maxUses {
		if _, there := u.last[key]; !there {
			u.last[key] = now
		}
	}
}

// RecordUses writes down which secrets were used since it was last called, each at most
// once in symbolon.SecretUsePrecision. It is called now and then, beside the requests;
// what it has not written when the server stops is lost.
func (e *Engine) RecordUses(ctx context.Context) error {
	e.uses.mu.Lock()
	waiting := e.uses.last
	e.uses.last = nil
	e.uses.mu.Unlock()
	byApp := make(map[symbolon.ClientID]map[string]time.Time)
	for use, at := range waiting {
		if byApp[use.client] == nil {
			byApp[use.client] = make(map[string]time.Time)
		}
		byApp[use.client][use.secret] = at
	}
	for client, used := range byApp {
		rows, err := e.store.Apps(ctx, symbolon.AppQuery{ID: client, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		app, changed := rows[0], false
		app.Secrets = slices.Clone(app.Secrets)
		for i := range app.Secrets {
			s := &app.Secrets[i]
			// Another node may have written it meanwhile.
			if at, ok := used[s.ID]; ok && at.Sub(s.UsedAt) >= symbolon.SecretUsePrecision {
				s.UsedAt, changed = at, true
			}
		}
		if !changed {
			continue
		}
		// Whoever edits the app at this moment goes first: the next use is noted again.
		if err := e.store.PutApp(ctx, app); err != nil && symbolon.KindOf(err) != symbolon.Conflict {
			return err
		}
	}
	return nil
}
