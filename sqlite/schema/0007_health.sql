-- What a person and an app's owner see of connections and sessions.

-- +goose Up

-- label is what the person calls the connection. used_from is the address of the last
-- request that moved seq, always 16 bytes, so that a refresh leaves the row as wide as
-- it was; NULL in a row from before.
ALTER TABLE connection ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN used_from BLOB CHECK (length(used_from) = 16);

-- agent and address are those of the browser at the sign-in.
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address BLOB CHECK (length(address) = 16);

-- events: what the app's webhook is told of, symbolon.EventMask; it is in settings, too.
ALTER TABLE app ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
