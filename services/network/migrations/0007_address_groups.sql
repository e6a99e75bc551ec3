-- Addresses under one name, which rules of security groups can name instead of a prefix each.

CREATE TABLE address_groups (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Prefixes without host bits, in order.
    addresses   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    generation  BIGINT NOT NULL
);
CREATE INDEX address_groups_by_project ON address_groups (project_id);

ALTER TABLE security_group_rules ADD COLUMN remote_address_group_id TEXT REFERENCES address_groups (id);
CREATE INDEX security_group_rules_by_address_group ON security_group_rules (remote_address_group_id);
