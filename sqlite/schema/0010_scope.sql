-- What operators say of scopes, beside what the configuration says.

-- +goose Up

-- scope: the sentences that the consent page shows, local in other languages than English:
-- a JSON object by their tags.
CREATE TABLE scope (
	name        TEXT PRIMARY KEY,
	description TEXT NOT NULL, -- never empty: the row is taken away then
	local       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
