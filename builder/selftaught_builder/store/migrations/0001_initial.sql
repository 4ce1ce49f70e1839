-- Attempts are facts: no row of them is ever changed or deleted. The tables that grow with them have no index; what is unique
-- in them is held by the one function that inserts (IDENTITY in database.py).

CREATE TABLE questions (
    hash        VARCHAR PRIMARY KEY,  -- over text, gold, kind and choices: the question's identity
    id          VARCHAR NOT NULL,     -- the source's own id, or its row number
    source      VARCHAR NOT NULL,
    split       VARCHAR NOT NULL,
    row_number  BIGINT NOT NULL,      -- in the source, from 1
    question    VARCHAR NOT NULL,
    gold        VARCHAR NOT NULL,
    answer_kind VARCHAR NOT NULL,     -- number, letter, yesno, date, math, text, code
    choices     JSON NOT NULL,
    meta        JSON NOT NULL
);

CREATE TABLE runs (
    id          VARCHAR PRIMARY KEY,
    recipe_name VARCHAR NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    source_rows BIGINT NOT NULL       -- rows read from the question source, as it was last read
);

-- What the run asks, and in which order.
CREATE TABLE run_questions (
    run         VARCHAR NOT NULL,
    question    VARCHAR NOT NULL,
    position    BIGINT NOT NULL,
    PRIMARY KEY (run, question)
);

-- Rows of the source that became no question.
CREATE TABLE rejected_questions (
    run         VARCHAR NOT NULL,
    row_number  BIGINT NOT NULL,
    reason      VARCHAR NOT NULL,
    detail      VARCHAR NOT NULL
);

-- One row whenever a stage works under a recipe, an endpoint and weights not seen in this round before.
CREATE TABLE rounds (
    run           VARCHAR NOT NULL,
    round         INTEGER NOT NULL,
    recipe_hash   VARCHAR NOT NULL,
    recipe        JSON NOT NULL,      -- every default filled in
    endpoint      VARCHAR NOT NULL,
    model         VARCHAR NOT NULL,
    weights       VARCHAR NOT NULL,   -- fingerprint of the served weights, or 'unknown'
    honours       JSON NOT NULL,      -- parameters a probe found honoured
    code_revision VARCHAR NOT NULL,
    started_at    TIMESTAMPTZ NOT NULL,   -- when a stage last began under them
    PRIMARY KEY (run, round, recipe_hash, endpoint, model, weights)
);

CREATE TABLE prompts (
    hash     VARCHAR NOT NULL,        -- unique
    style    VARCHAR NOT NULL,        -- chat or completion
    messages JSON NOT NULL
);

CREATE TABLE attempts (
    id            VARCHAR NOT NULL,     -- unique: key and try number
    key           VARCHAR NOT NULL,
    try           INTEGER NOT NULL,
    run           VARCHAR NOT NULL,
    round         INTEGER NOT NULL,
    question      VARCHAR NOT NULL,
    kind          VARCHAR NOT NULL CHECK (kind IN ('sampled', 'rationalized', 'evaluated', 'probed')),
    sample_index  INTEGER NOT NULL,
    parent        VARCHAR,              -- the failed attempt that a rationalized one answers
    prompt        VARCHAR NOT NULL,
    completion    VARCHAR NOT NULL,     -- without reasoning content
    reasoning     VARCHAR NOT NULL,     -- reasoning content, kept apart
    finish_reason VARCHAR NOT NULL,     -- 'length' is truncated and never trained on
    endpoint      VARCHAR NOT NULL,
    model         VARCHAR NOT NULL,     -- as asked for
    model_replied VARCHAR NOT NULL,     -- as the reply named it
    weights       VARCHAR NOT NULL,
    parameters    JSON NOT NULL,
    seed          BIGINT NOT NULL,
    seed_honoured BOOLEAN,              -- NULL where the probe could not tell
    tokens_in     BIGINT,
    tokens_out    BIGINT,
    tokens_cached BIGINT,
    cost          DOUBLE,               -- US dollars; NULL is unknown, never free
    price_source  VARCHAR,
    latency       DOUBLE NOT NULL,      -- seconds
    error         VARCHAR,              -- error class; NULL where a completion arrived
    error_text    VARCHAR,
    provider      JSON NOT NULL,        -- what else the reply said
    created_at    TIMESTAMPTZ NOT NULL
);

-- Verdicts stand beside each other: a new version adds rows and replaces none.
CREATE TABLE verdicts (
    attempt    VARCHAR NOT NULL,
    verifier   VARCHAR NOT NULL,
    version    VARCHAR NOT NULL,
    outcome    VARCHAR NOT NULL CHECK (outcome IN ('pass', 'fail', 'unscorable')),
    score      DOUBLE,
    answer     VARCHAR,
    reason     VARCHAR NOT NULL,
    detail     JSON NOT NULL,
    elapsed    DOUBLE NOT NULL,         -- seconds
    created_at TIMESTAMPTZ NOT NULL     -- unique: attempt, verifier and version together
);

-- Which version of a verifier `attempts_wide` shows.
CREATE TABLE verifiers (
    name       VARCHAR PRIMARY KEY,
    version    VARCHAR NOT NULL
);

CREATE TABLE dataset_versions (
    recipe_name VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,       -- readable number and content hash: v3-1a2b3c4d
    number      INTEGER NOT NULL,
    content     VARCHAR NOT NULL,       -- SHA-256 over the version's files
    run         VARCHAR NOT NULL,
    recipe_hash VARCHAR NOT NULL,
    policy      VARCHAR NOT NULL,
    verifiers   JSON NOT NULL,          -- name to version, as pinned
    row_count   BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (recipe_name, version)
);

CREATE TABLE dataset_rows (
    recipe_name VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,
    attempt     VARCHAR NOT NULL,
    split       VARCHAR NOT NULL,
    role        VARCHAR NOT NULL        -- 'sft': a target of imitation
);

-- A person's judgement of a rationale.
CREATE TABLE labels (
    attempt    VARCHAR NOT NULL,
    labeller   VARCHAR NOT NULL,
    flawed     BOOLEAN NOT NULL,
    note       VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
