-- Credentials: what users keep here for other ways of proving who they are: EC2 keys, TOTP seeds, certificates.
-- One ends with its user and with its project, which is why both are referred to.

CREATE TABLE credentials (
    -- That of an EC2 credential is the SHA-256 of its access key, by which it is found again.
    id             TEXT PRIMARY KEY,
    user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id     TEXT REFERENCES projects (id) ON DELETE CASCADE,
    type           TEXT NOT NULL,
    -- A Fernet message under the key of which `key_hash` is the SHA-256.
    encrypted_blob TEXT NOT NULL,
    key_hash       TEXT NOT NULL,
    extra          TEXT NOT NULL
);
CREATE INDEX credentials_by_user ON credentials (user_id, type);
CREATE INDEX credentials_by_project ON credentials (project_id);
CREATE INDEX credentials_by_key ON credentials (key_hash);
