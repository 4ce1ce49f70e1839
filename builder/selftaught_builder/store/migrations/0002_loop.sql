-- The loop: held-out questions, stages, trainings and evaluations.

-- Questions that are only ever evaluated; none of them is among the run's questions.
CREATE TABLE held_out_questions (
    run      VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    held_out VARCHAR NOT NULL CHECK (held_out IN ('validate', 'evaluate')),
    position BIGINT NOT NULL,
    PRIMARY KEY (run, question)
);

-- How far a run is: one row a stage, begun and perhaps finished. Beginning it again replaces the row.
CREATE TABLE stages (
    run         VARCHAR NOT NULL,
    round       INTEGER NOT NULL,     -- 0 is the base model, before the first training
    stage       VARCHAR NOT NULL,     -- sample, verify, rationalize, verify_rationalized, export, train, evaluate
    recipe_hash VARCHAR NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,          -- NULL while it is under way or was broken off
    detail      JSON NOT NULL,        -- counts, and seconds by what took them
    PRIMARY KEY (run, round, stage)
);

-- One row whenever a model was trained; it has weights once it is finished.
CREATE TABLE trainings (
    id           VARCHAR PRIMARY KEY, -- over what determines the weights: YAML, dataset version, base weights
    run          VARCHAR NOT NULL,
    round        INTEGER NOT NULL,
    recipe_name  VARCHAR NOT NULL,
    version      VARCHAR NOT NULL,    -- the dataset version it learnt from
    base_model   VARCHAR NOT NULL,
    base_weights VARCHAR NOT NULL,
    yaml         VARCHAR NOT NULL,    -- the whole Axolotl YAML
    yaml_hash    VARCHAR NOT NULL,    -- SHA-256 over its bytes
    folder       VARCHAR NOT NULL,    -- from the room's folder
    trainer      VARCHAR NOT NULL,    -- Axolotl's version
    steps        BIGINT NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ,
    seconds      DOUBLE,              -- of the trainer's process
    losses       JSON NOT NULL,       -- [[step, loss], ...]
    model        VARCHAR,             -- the checkpoint's folder, from the room's folder
    weights      VARCHAR,             -- its fingerprint: attempts and later trainings name it
    error        VARCHAR
);

-- What a model gets right on held-out questions, all under one prompt.
CREATE TABLE evaluations (
    run              VARCHAR NOT NULL,
    round            INTEGER NOT NULL,  -- 0 is the base model
    held_out         VARCHAR NOT NULL,
    model            VARCHAR NOT NULL,
    weights          VARCHAR NOT NULL,
    questions        BIGINT NOT NULL,
    correct          BIGINT NOT NULL,   -- greedy
    answered         BIGINT NOT NULL,   -- greedy, with an answer that could be read
    truncated        BIGINT NOT NULL,
    false_equation   BIGINT,            -- right answers whose rationale states a false equation; NULL where nobody looked
    accuracy         DOUBLE NOT NULL,
    low              DOUBLE NOT NULL,   -- 95 % Wilson interval
    high             DOUBLE NOT NULL,
    only_base        BIGINT,            -- right at the base and wrong now
    only_now         BIGINT,            -- wrong at the base and right now
    p_value          DOUBLE,            -- McNemar's exact test against the base
    rationale_tokens DOUBLE,            -- mean
    k                INTEGER NOT NULL,
    pass_at_k        JSON NOT NULL,     -- {"1": 0.4, "4": 0.6}; unbiased
    majority_at_k    DOUBLE,
    created_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run, round, held_out, weights)
);
