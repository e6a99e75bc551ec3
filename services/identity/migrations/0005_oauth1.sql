-- OAuth 1.0a: consumers, the request tokens that they ask for, and the access tokens into which users let them turn.
-- Secrets are Fernet messages under the keys of credentials: signatures are made with them, so a hash would not do.

CREATE TABLE oauth1_consumers (
    id          TEXT PRIMARY KEY,
    description TEXT,
    secret      TEXT NOT NULL,
    extra       TEXT NOT NULL
);

CREATE TABLE oauth1_request_tokens (
    id          TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES oauth1_consumers (id) ON DELETE CASCADE,
    project_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    secret      TEXT NOT NULL,
    -- Null until a user has authorized it.
    user_id     TEXT REFERENCES users (id) ON DELETE CASCADE,
    verifier    TEXT,
    role_ids    TEXT,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX oauth1_request_tokens_by_consumer ON oauth1_request_tokens (consumer_id);
CREATE INDEX oauth1_request_tokens_by_project ON oauth1_request_tokens (project_id);
CREATE INDEX oauth1_request_tokens_by_user ON oauth1_request_tokens (user_id);

CREATE TABLE oauth1_access_tokens (
    id          TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES oauth1_consumers (id) ON DELETE CASCADE,
    project_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret      TEXT NOT NULL,
    role_ids    TEXT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX oauth1_access_tokens_by_consumer ON oauth1_access_tokens (consumer_id);
CREATE INDEX oauth1_access_tokens_by_project ON oauth1_access_tokens (project_id);
CREATE INDEX oauth1_access_tokens_by_user ON oauth1_access_tokens (user_id);

-- Signed requests that were accepted, for as long as their time is: none is accepted twice.
CREATE TABLE oauth1_nonces (
    consumer_id TEXT NOT NULL REFERENCES oauth1_consumers (id) ON DELETE CASCADE,
    signed_at   BIGINT NOT NULL,
    nonce       TEXT NOT NULL,
    PRIMARY KEY (consumer_id, signed_at, nonce)
);
CREATE INDEX oauth1_nonces_by_time ON oauth1_nonces (signed_at);
