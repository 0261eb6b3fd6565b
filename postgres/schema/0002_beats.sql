-- +goose Up

-- beats grows about once a second while anything is changed, so that whoever has
-- seen a number knows an older copy of the database from it.
ALTER TABLE mark ADD COLUMN beats bigint NOT NULL DEFAULT 0;
