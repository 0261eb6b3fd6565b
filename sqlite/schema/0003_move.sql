-- Moving to another store, and from one.

-- +goose Up

-- While moving is set, the database is being filled from another and is not whole;
-- it is how many commits that one had seen. Once moved is set, this one has been
-- left for another, which it names, and nothing is written any more.
ALTER TABLE mark ADD COLUMN moving INTEGER;
ALTER TABLE mark ADD COLUMN moved TEXT;
