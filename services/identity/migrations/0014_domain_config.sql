-- What was said of where the users of a domain are. Nothing in this cloud reads it.

CREATE TABLE domain_config (
    domain_id   TEXT NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    group_name  TEXT NOT NULL,
    option_name TEXT NOT NULL,
    -- JSON; of a secret option sealed.
    value       TEXT NOT NULL,
    -- Under which key it is sealed; empty for what is no secret.
    key_hash    TEXT NOT NULL,
    PRIMARY KEY (domain_id, group_name, option_name)
);
