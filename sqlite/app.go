package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/symbolon/symbolon"
)

// Apps implements symbolon.Store.
func (db *DB) Apps(ctx context.Context, q symbolon.AppQuery) ([]symbolon.App, error) {
	const op = "sqlite: apps"
	if err := atLeastOne(op, q.Limit); err != nil {
		return nil, err
	}
	where, key := `id > ?1`, q.After
	if q.ID != "" {
		where, key = `id = ?1`, q.ID
		if q.After >= q.ID {
			return nil, nil
		}
	}
	args := []any{key, q.Limit}
	if q.Owner != "" {
		where += ` AND owner = ?3`
		args = append(args, q.Owner)
	}
	var apps []symbolon.App
	err := db.read(ctx, op, func(f *file) error {
		rows, err := f.query(ctx, `
			SELECT id, name, home, public, secrets, redirect_uris, scope, rotation, require_pkce, settings, sandbox,
			       created_at, not_before, version, owner
			FROM app
			WHERE deleted_at IS NULL AND `+where+` ORDER BY id LIMIT ?2`, args...)
		apps, err = collect(rows, err, scanApp)
		return err
	})
	return apps, err
}

func scanApp(rows *sql.Rows) (symbolon.App, error) {
	var app symbolon.App
	var secrets, uris, scope, settings string
	var createdAt, notBefore int64
	err := rows.Scan(&app.ID, &app.Name, &app.Home, &app.Public, &secrets, &uris, &scope, &app.Rotation,
		&app.RequirePKCE, &settings, &app.Sandbox, &createdAt, &notBefore, &app.Version, &app.Owner)
	if err != nil {
		return app, err
	}
	app.CreatedAt, app.NotBefore = moment(createdAt), moment(notBefore)
	app.Scope = strings.Fields(scope)
	if err := json.Unmarshal([]byte(uris), &app.RedirectURIs); err != nil {
		return app, err
	}
	if err := json.Unmarshal([]byte(settings), &app.Settings); err != nil {
		return app, err
	}
	app.Secrets, err = decodeSecrets(secrets)
	if len(app.RedirectURIs) == 0 {
		app.RedirectURIs = nil
	}
	if len(app.Scope) == 0 {
		app.Scope = nil
	}
	return app, err
}

// secret is the stored form of a symbolon.Secret.
type secret struct {
	ID        string `json:"id"`
	Hash      string `json:"hash"` // 64 hex digits
	CreatedAt int64  `json:"created_at"`
	UsedAt    int64  `json:"used_at,omitempty"`
}

func encodeSecrets(secrets []symbolon.Secret) (string, error) {
	list := make([]secret, 0, len(secrets))
	for _, s := range secrets {
		list = append(list, secret{ID: s.ID, Hash: hex.EncodeToString(s.Hash[:]), CreatedAt: millis(s.CreatedAt), UsedAt: millis(s.UsedAt)})
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func decodeSecrets(text string) ([]symbolon.Secret, error) {
	var list []secret
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	var secrets []symbolon.Secret
	for _, s := range list {
		hash, err := hex.DecodeString(s.Hash)
		if err != nil || len(hash) != 32 {
			return nil, errDamaged
		}
		secrets = append(secrets, symbolon.Secret{ID: s.ID, Hash: [32]byte(hash), CreatedAt: moment(s.CreatedAt), UsedAt: moment(s.UsedAt)})
	}
	return secrets, nil
}

// PutApp implements symbolon.Store. An app that is marked as a sandbox one is
// Denied in a database with real data.
func (db *DB) PutApp(ctx context.Context, app symbolon.App) error {
	const op = "sqlite: put app"
	if app.Sandbox && !db.sandbox {
		return symbolon.Errorf(symbolon.Denied, op, "a sandbox app cannot stand among real data")
	}
	secrets, err := encodeSecrets(app.Secrets)
	if err != nil {
		return symbolon.Wrap(symbolon.Invalid, op, err)
	}
	uris, err := json.Marshal(append([]string{}, app.RedirectURIs...))
	if err != nil {
		return symbolon.Wrap(symbolon.Invalid, op, err)
	}
	settings, err := encodeSettings(app.Settings)
	if err != nil {
		return symbolon.Wrap(symbolon.Invalid, op, err)
	}
	return db.write(ctx, op, func(tx *transaction) error {
		return tx.atomically(func() error { return tx.putApp(op, app, secrets, string(uris), settings) })
	})
}

// encodeSettings returns the settings as they are kept, with times in whole
// milliseconds like all others.
func encodeSettings(s symbolon.Settings) (string, error) {
	if s.Webhook != nil {
		h := *s.Webhook
		h.PreviousUntil = moment(millis(h.PreviousUntil))
		s.Webhook = &h
	}
	if s.Registration != nil {
		r := *s.Registration
		r.ChangedAt, r.ExpiresAt = moment(millis(r.ChangedAt)), moment(millis(r.ExpiresAt))
		r.DeletedAt = moment(millis(r.DeletedAt))
		s.Registration = &r
	}
	b, err := json.Marshal(s)
	return string(b), err
}

func (tx *transaction) putApp(op string, app symbolon.App, secrets, uris, settings string) error {
	var before int64
	err := tx.row(`SELECT not_before FROM app WHERE id = ? AND deleted_at IS NULL`, []any{app.ID}, &before)
	if err != nil && !missing(err) {
		return err
	}
	query := `
		UPDATE app SET name = ?2, home = ?3, public = ?4, secrets = ?5, redirect_uris = ?6, scope = ?7,
			rotation = ?8, require_pkce = ?9, sandbox = ?10, created_at = ?11,
			not_before = max(not_before, ?12), settings = ?14, version = version + 1, events = ?15, owner = ?16
		WHERE id = ?1 AND version = ?13 AND deleted_at IS NULL
		RETURNING not_before`
	if app.Version == 0 {
		query = `
		INSERT INTO app (id, name, home, public, secrets, redirect_uris, scope, rotation, require_pkce, sandbox,
			created_at, not_before, version, settings, events, owner)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 + 1, ?14, ?15, ?16)
		ON CONFLICT (id) DO UPDATE SET name = ?2, home = ?3, public = ?4, secrets = ?5, redirect_uris = ?6,
			scope = ?7, rotation = ?8, require_pkce = ?9, sandbox = ?10, created_at = ?11,
			not_before = max(not_before, ?12), settings = ?14, version = 1, deleted_at = NULL, events = ?15, owner = ?16
		WHERE deleted_at IS NOT NULL
		RETURNING not_before`
	}
	var after int64
	err = tx.returning(query, []any{app.ID, app.Name, app.Home, app.Public, secrets, uris, app.Scope.String(),
		app.Rotation, app.RequirePKCE, app.Sandbox, millis(app.CreatedAt), millis(app.NotBefore), app.Version, settings,
		int64(app.Settings.Webhook.Mask()), app.Owner}, &after)
	if missing(err) {
		return symbolon.Errorf(symbolon.Conflict, op, "app %s has another version", app.ID)
	}
	if err != nil {
		return err
	}
	if after > before {
		if err := tx.change(change{kind: symbolon.AppEnded, client: app.ID, before: after, at: tx.clock()}); err != nil {
			return err
		}
		if app.Version != 0 {
			if err := tx.tellAll(app.ID, tx.clock()); err != nil {
				return err
			}
		}
	}
	return tx.change(change{kind: symbolon.AppChanged, client: app.ID, at: tx.clock()})
}
