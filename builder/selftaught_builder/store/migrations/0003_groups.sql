-- Verdicts on groups: what a group verifier, or a query, saw.

-- A verdict of a row verifier depends on its attempt alone: ''. A group verifier's names the group; a query's the moment.
-- Of several verdicts by one version the newest counts.
ALTER TABLE verdicts ADD COLUMN seen VARCHAR DEFAULT '';

-- The attempts that a group verifier saw together: a question's, by one set of weights.
CREATE TABLE verdict_groups (
    hash     VARCHAR NOT NULL,        -- over the attempts' ids; unique
    question VARCHAR NOT NULL,
    attempts VARCHAR[] NOT NULL
);
