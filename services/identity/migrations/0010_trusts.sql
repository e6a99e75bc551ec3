-- What one user lets another do in his stead, in one project, with some of his roles.

CREATE TABLE trusts (
    id                   TEXT PRIMARY KEY,
    trustor_user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    trustee_user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Null, with no roles: a trust that delegates nothing.
    project_id           TEXT REFERENCES projects (id) ON DELETE CASCADE,
    impersonation        BIGINT NOT NULL,
    expires_at           BIGINT,
    -- How many tokens it still buys; null for any number.
    remaining_uses       BIGINT CHECK (remaining_uses >= 0),
    -- The trust that was passed on; what is passed on ends with it.
    redelegated_trust_id TEXT REFERENCES trusts (id) ON DELETE CASCADE,
    redelegation_count   BIGINT NOT NULL,
    role_ids             TEXT NOT NULL,
    UNIQUE (trustor_user_id, trustee_user_id, project_id, impersonation, expires_at)
);
CREATE INDEX trusts_by_trustee ON trusts (trustee_user_id);
CREATE INDEX trusts_by_project ON trusts (project_id);
CREATE INDEX trusts_by_redelegated_trust ON trusts (redelegated_trust_id);
