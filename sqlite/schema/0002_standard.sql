-- The standard surface: what else an app's owner may decide, signing keys beside
-- the sealing keys, and what may be used once.

-- +goose Up

ALTER TABLE app ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'; -- JSON: symbolon.Settings

ALTER TABLE sealing_key ADD COLUMN algorithm TEXT NOT NULL DEFAULT ''; -- JWS name, or '' for a sealing key

-- once: what was used and must not be used again, until it would be refused for
-- its age anyhow. The index is for the sweep.
CREATE TABLE once (
	key        BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
	value      BLOB NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_expires ON once (expires_at);
