-- +goose Up

-- profile: what else is known of a person, JSON: symbolon.Profile.
ALTER TABLE account ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';

-- id names a sign-in towards apps (16 bytes), acr says how the person proved who
-- they are. Both are missing in a sign-in from before.
ALTER TABLE session ADD COLUMN id BLOB CHECK (length(id) = 16);
ALTER TABLE session ADD COLUMN acr TEXT NOT NULL DEFAULT '';
