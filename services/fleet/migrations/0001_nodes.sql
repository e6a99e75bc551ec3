-- The hosts that joined. A node that is removed loses its row; its certificates stay, revoked.
CREATE TABLE nodes (
    id              TEXT PRIMARY KEY,
    hostname        TEXT NOT NULL UNIQUE,
    disabled        BIGINT NOT NULL DEFAULT 0,
    disabled_reason TEXT,
    joined_at       BIGINT NOT NULL,
    seen_at         BIGINT NOT NULL,
    -- What it said of itself when it connected last (JSON).
    hello           TEXT
);

-- Certificates that the authority gave to nodes. Whoever shows one that is not here, or revoked, is nobody.
CREATE TABLE node_certificates (
    -- Hex SHA-256 of the certificate.
    fingerprint TEXT PRIMARY KEY,
    serial      TEXT NOT NULL UNIQUE,
    node_id     TEXT NOT NULL,
    issued_at   BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX node_certificates_by_node ON node_certificates (node_id);

-- Join tokens: only a hash of the secret. One use; whoever used it may repeat the same request, with the same key,
-- until it expires, because the answer may have been lost.
CREATE TABLE join_tokens (
    id          TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_by_key TEXT,
    node_id     TEXT
);
