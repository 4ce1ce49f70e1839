-- What a recipe asks for: the prompts as it renders them, and under which recipe each attempt was made.

-- The hash of the recipe that an attempt was asked under (rounds.recipe_hash); NULL in attempts older than this schema.
ALTER TABLE attempts ADD COLUMN recipe VARCHAR;

-- All that shapes a recipe's prompts: the template's text, the system text, the style and the few-shot examples.
CREATE TABLE prompt_forms (
    hash VARCHAR PRIMARY KEY,
    form JSON NOT NULL
);

-- The prompts of a question under a form: hashes, as in `prompts` and in attempts.prompt. (form, question) is unique.
CREATE TABLE asked_prompts (
    form     VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    plain    VARCHAR NOT NULL,        -- sampled under this
    hinted   VARCHAR NOT NULL         -- rationalized under this: it shows the answer
);

-- Which form the round's prompts had.
ALTER TABLE rounds ADD COLUMN prompt_form VARCHAR;

-- NULL in versions older than this schema: their content is a SHA-256 over the card and the files.
ALTER TABLE dataset_versions ADD COLUMN files JSON;    -- each data file's SHA-256, by its name
ALTER TABLE dataset_versions ADD COLUMN card VARCHAR;  -- SHA-256 over README.md
ALTER TABLE dataset_versions ADD COLUMN facts JSON;    -- what the card says, as it was when the version was made
ALTER TABLE dataset_versions ADD COLUMN draw_on VARCHAR;

-- One row each time that a stage was worked on, by `run` or by a command of its own; `stages` holds only how far the run is.
CREATE TABLE sittings (
    run         VARCHAR NOT NULL,
    round       INTEGER NOT NULL,
    stage       VARCHAR NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    detail      JSON NOT NULL         -- what was planned and reused, and seconds by what took them
);
