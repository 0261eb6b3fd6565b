-- +goose Up

-- session: the sign-in that it came of (session.id), where the app is to be told
-- when that ends.
ALTER TABLE connection ADD COLUMN session uuid;
CREATE INDEX connection_session ON connection (session) WHERE session IS NOT NULL;
CREATE INDEX session_id ON session (id) WHERE id IS NOT NULL;

-- delivery: what apps are still to be told. Who has claimed a row has moved due_at
-- on and counted attempts, by which he knows his own again.
CREATE TABLE delivery (
	id         uuid NOT NULL PRIMARY KEY,
	kind       text NOT NULL, -- symbolon.DeliveryKind
	client     text NOT NULL,
	account    text NOT NULL,
	session    uuid,
	body       bytea NOT NULL,
	made_at    bigint NOT NULL,
	due_at     bigint NOT NULL,
	expires_at bigint NOT NULL,
	attempts   bigint NOT NULL
);
CREATE INDEX delivery_due ON delivery (due_at);
