-- What operators say of scopes, beside what the configuration says.

-- +goose Up

-- scope: the sentences that the consent page shows, local in other languages than English:
-- a JSON object by their tags.
CREATE TABLE scope (
	name        text COLLATE "C" NOT NULL PRIMARY KEY,
	description text NOT NULL, -- never empty: the row is taken away then
	local       text NOT NULL
);
