-- Telling apps that a session has ended.

-- +goose Up

-- session: the sign-in that it came of (session.id), where the app is to be told
-- when that ends.
ALTER TABLE connection ADD COLUMN session BLOB CHECK (length(session) = 16);
CREATE INDEX connection_session ON connection (session) WHERE session IS NOT NULL;
CREATE INDEX session_id ON session (id) WHERE id IS NOT NULL;

-- delivery: what apps are still to be told. Who has claimed a row has moved due_at
-- on and counted attempts, by which he knows his own again.
CREATE TABLE delivery (
	id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	kind       TEXT NOT NULL, -- symbolon.DeliveryKind
	client     TEXT NOT NULL,
	account    TEXT NOT NULL,
	session    BLOB CHECK (length(session) = 16),
	body       BLOB NOT NULL,
	made_at    INTEGER NOT NULL,
	due_at     INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	attempts   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (due_at);
