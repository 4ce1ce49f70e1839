-- Whom an endpoint verifier asked. Its questions are attempts of kind 'probed'; its verdicts are made of them without asking.

CREATE TABLE probed_models (
    verifier VARCHAR NOT NULL,
    version  VARCHAR NOT NULL,
    endpoint VARCHAR NOT NULL,
    model    VARCHAR NOT NULL,
    weights  VARCHAR NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,   -- when it was last asked
    PRIMARY KEY (verifier, version, endpoint, model, weights)
);
