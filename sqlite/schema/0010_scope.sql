-- What operators say of scopes, beside what the configuration says.

-- +goose Up

-- scope: the sentence that the consent page shows. A name with "#" and a language
-- behind it has what is said in that language.
CREATE TABLE scope (
	name        TEXT PRIMARY KEY,
	description TEXT NOT NULL -- never empty: the row is taken away then
) STRICT, WITHOUT ROWID;
