-- +goose Up

-- owner: the account that may manage the app, or empty.
ALTER TABLE app ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX app_owner ON app (owner, id);

-- operator: it may manage everything.
ALTER TABLE account ADD COLUMN operator INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1));
