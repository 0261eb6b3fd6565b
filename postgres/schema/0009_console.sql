-- +goose Up

-- owner: the account that may manage the app, or empty.
ALTER TABLE app ADD COLUMN owner text NOT NULL DEFAULT '';
CREATE INDEX app_owner ON app (owner, id);

-- operator: it may manage everything.
ALTER TABLE account ADD COLUMN operator boolean NOT NULL DEFAULT false;
