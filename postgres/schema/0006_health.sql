-- +goose Up

-- label is what the person calls the connection. used_from is the address of the last
-- request that moved seq, in 16 bytes; NULL in a row from before.
ALTER TABLE connection ADD COLUMN label text NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN used_from uuid;

-- agent and address are those of the browser at the sign-in.
ALTER TABLE session ADD COLUMN agent text NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address uuid;

-- events: what the app's webhook is told of, symbolon.EventMask; it is in settings, too.
ALTER TABLE app ADD COLUMN events bigint NOT NULL DEFAULT 0;
