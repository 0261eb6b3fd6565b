-- What operators say of scopes, beside what the configuration says.

-- +goose Up

-- scope: the sentence that the consent page shows. A name with "#" and a language
-- behind it has what is said in that language.
CREATE TABLE scope (
	name        text COLLATE "C" NOT NULL PRIMARY KEY,
	description text NOT NULL -- never empty: the row is taken away then
);
