-- +goose Up

-- profile: what else is known of a person, JSON: symbolon.Profile.
ALTER TABLE account ADD COLUMN profile text NOT NULL DEFAULT '{}';

-- id names a sign-in towards apps, acr says how the person proved who they are. Both
-- are missing in a sign-in from before.
ALTER TABLE session ADD COLUMN id uuid;
ALTER TABLE session ADD COLUMN acr text NOT NULL DEFAULT '';
