-- +goose Up

-- factors: what the person proves who they are with beside the password, JSON:
-- symbolon.Factors. Empty where there is nothing.
ALTER TABLE account ADD COLUMN factors TEXT NOT NULL DEFAULT '';
