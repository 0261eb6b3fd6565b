-- Times are whole milliseconds since 1970, UTC. A time that may be missing is
-- NULL, and not_before is 0 while nothing was ended.

-- +goose Up

-- mark: one row about the database itself.
CREATE TABLE mark (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	epoch   BLOB NOT NULL CHECK (length(epoch) = 16),
	commits INTEGER NOT NULL,
	sandbox INTEGER CHECK (sandbox IN (0, 1)) -- NULL until the creator has said
) STRICT;
INSERT INTO mark (one, epoch, commits) VALUES (1, randomblob(16), 0);

-- account: a row that was deleted stays as a husk without name or password, so
-- that its number is never used again and an account of the same id that is
-- created later does not inherit what was ended. A husk counts as disabled.
CREATE TABLE account (
	no          INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE,
	username    TEXT UNIQUE, -- NULL in a husk
	name        TEXT NOT NULL,
	password    TEXT NOT NULL,
	sandbox     INTEGER NOT NULL,
	created_at  INTEGER NOT NULL,
	disabled_at INTEGER,
	deleted_at  INTEGER,
	not_before  INTEGER NOT NULL,
	version     INTEGER NOT NULL
) STRICT;

-- app: husks as in account.
CREATE TABLE app (
	no            INTEGER PRIMARY KEY,
	id            TEXT NOT NULL UNIQUE,
	name          TEXT NOT NULL,
	home          TEXT NOT NULL,
	public        INTEGER NOT NULL,
	secrets       TEXT NOT NULL, -- JSON: a list of {hash, created_at}
	redirect_uris TEXT NOT NULL, -- JSON: a list of strings
	scope         TEXT NOT NULL, -- names with single spaces between
	rotation      TEXT NOT NULL,
	require_pkce  INTEGER NOT NULL,
	sandbox       INTEGER NOT NULL,
	created_at    INTEGER NOT NULL,
	deleted_at    INTEGER,
	not_before    INTEGER NOT NULL,
	version       INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
	browser    BLOB NOT NULL CHECK (length(browser) = 32),
	account_no INTEGER NOT NULL,
	auth_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	PRIMARY KEY (browser, account_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account_no);

CREATE TABLE consent (
	account_no INTEGER NOT NULL,
	client     TEXT NOT NULL,
	scope      TEXT NOT NULL,
	granted_at INTEGER NOT NULL,
	PRIMARY KEY (account_no, client)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_client ON consent (client);

-- connection: ids begin with the time of birth, so that what is young lies
-- together. A refresh writes seq, refreshed_at and expires_at, which no index
-- knows and which keep their width: seq counts from 2^32, since SQLite stores an
-- integer in as few bytes as it needs and a row that grows must move.
CREATE TABLE connection (
	id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	account_no   INTEGER NOT NULL,
	app_no       INTEGER NOT NULL,
	scope        TEXT NOT NULL,
	seq          INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	refreshed_at INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	ended_at     INTEGER,
	ended_by     TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX connection_account ON connection (account_no);
CREATE INDEX connection_app ON connection (app_no);

-- change: what nodes must learn, in the order of the commits. AUTOINCREMENT,
-- since a number that was swept must not come again.
CREATE TABLE change (
	no         INTEGER PRIMARY KEY AUTOINCREMENT,
	kind       INTEGER NOT NULL,
	connection BLOB,
	account    TEXT,
	client     TEXT,
	before     INTEGER,
	at         INTEGER NOT NULL
) STRICT;

CREATE TABLE sealing_key (
	id          INTEGER PRIMARY KEY,
	wrapped     BLOB NOT NULL,
	active_from INTEGER NOT NULL,
	retired_at  INTEGER
) STRICT;
