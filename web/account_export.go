package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
)

// exported is the copy of what is kept of a person, as JSON: no secret is in it, so
// that the file may lie anywhere.
type exported struct {
	MadeAt      time.Time          `json:"made_at"`
	Issuer      string             `json:"issuer"`
	ID          symbolon.AccountID `json:"id"`
	Username    string             `json:"username"`
	Name        string             `json:"name"`
	CreatedAt   time.Time          `json:"created_at"`
	Profile     symbolon.Profile   `json:"profile"`
	Password    bool               `json:"has_password"`
	Factors     []string           `json:"second_factors"`
	Recovery    int                `json:"recovery_codes_left"`
	Passkeys    []exportedPasskey  `json:"passkeys"`
	Identities  []exportedIdentity `json:"identities"`
	Connections []exportedConn     `json:"connections"`
	Sessions    []exportedSession  `json:"sessions"`
}

type exportedPasskey struct {
	Name    string    `json:"name"`
	AddedAt time.Time `json:"added_at"`
	UsedAt  time.Time `json:"used_at,omitzero"`
}

// exportedIdentity is who the person is at another site, which they sign in by.
type exportedIdentity struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	Name    string    `json:"name,omitempty"`
	AddedAt time.Time `json:"added_at"`
}

type exportedConn struct {
	ID          string    `json:"id"`
	ClientID    string    `json:"client_id"`
	App         string    `json:"app,omitempty"`
	Label       string    `json:"label,omitempty"`
	Scope       string    `json:"scope"`
	CreatedAt   time.Time `json:"created_at"`
	RefreshedAt time.Time `json:"refreshed_at"`
	UsedFrom    string    `json:"used_from,omitempty"`
	ExpiresAt   time.Time `json:"expires_at"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	EndedBy     string    `json:"ended_by,omitempty"`
}

type exportedSession struct {
	Browser   string    `json:"browser,omitempty"`
	From      string    `json:"from,omitempty"`
	AuthAt    time.Time `json:"signed_in_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// maxExported bounds how many connections are read for a copy.
const maxExported = 100_000

func (h *Handler) export(w http.ResponseWriter, r *http.Request, ev *event, v *visit) error {
	a := &v.Account
	e := exported{
		MadeAt: h.Engine.Now(), Issuer: h.issuer, ID: a.ID, Username: a.Username, Name: a.Name, CreatedAt: a.CreatedAt,
		Profile: a.Profile, Password: a.Password != "", Factors: a.Factors.Kinds(), Recovery: len(a.Factors.Recovery),
		Passkeys: []exportedPasskey{}, Identities: []exportedIdentity{}, Connections: []exportedConn{}, Sessions: []exportedSession{},
	}
	for _, k := range a.Factors.Passkeys {
		e.Passkeys = append(e.Passkeys, exportedPasskey{k.Name, k.AddedAt, k.UsedAt})
	}
	for _, i := range a.Identities {
		e.Identities = append(e.Identities, exportedIdentity{i.Issuer, i.Subject, i.Name, i.AddedAt})
	}
	names := map[symbolon.ClientID]string{}
	q := symbolon.ConnectionQuery{Account: a.ID, Now: h.Engine.Now(), Limit: 500}
	for len(e.Connections) < maxExported {
		found, err := h.Store.Connections(r.Context(), q)
		if err != nil {
			return err
		}
		for i := range found {
			c := &found[i]
			name, known := names[c.Client]
			if !known {
				if app, err := h.Engine.App(r.Context(), c.Client); err == nil {
					name = app.Name
				}
				names[c.Client] = name
			}
			x := exportedConn{c.ID.String(), string(c.Client), name, c.Label, c.Scope.String(), c.CreatedAt, c.RefreshedAt, "", c.ExpiresAt, c.EndedAt, string(c.EndedBy)}
			if c.UsedFrom.IsValid() {
				x.UsedFrom = c.UsedFrom.String()
			}
			e.Connections = append(e.Connections, x)
		}
		if len(found) < q.Limit {
			break
		}
		q.Before = found[len(found)-1].ID
	}
	sessions, err := h.Store.AccountSessions(r.Context(), a.ID, h.Engine.Now())
	if err != nil {
		return err
	}
	for i := range sessions {
		s := &sessions[i]
		x := exportedSession{Browser: s.Agent, AuthAt: s.AuthAt, ExpiresAt: s.ExpiresAt}
		if s.From.IsValid() {
			x.From = s.From.String()
		}
		e.Sessions = append(e.Sessions, x)
	}
	body, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return symbolon.Wrap(symbolon.Internal, "export an account", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Disposition", `attachment; filename="my-data.json"`)
	header["Cache-Control"] = noStore
	header.Set("X-Content-Type-Options", "nosniff")
	ev.status, ev.detail = http.StatusOK, "the data of the account was exported"
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(body, '\n')) // the person has gone; there is no one to tell
	return nil
}
