-- Signing in by the word of another.

-- +goose Up

-- identity: by which subject of which issuer an account is known there.
CREATE TABLE identity (
	issuer     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	account_no INTEGER NOT NULL,
	name       TEXT NOT NULL, -- what the person is called there
	added_at   INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_account ON identity (account_no);
