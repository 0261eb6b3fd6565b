-- Signing in by the word of another.

-- +goose Up

-- identity: by which subject of which issuer an account is known there.
CREATE TABLE identity (
	issuer     text COLLATE "C" NOT NULL,
	subject    text COLLATE "C" NOT NULL,
	account_no bigint NOT NULL,
	name       text NOT NULL, -- what the person is called there
	added_at   bigint NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_account ON identity (account_no);
