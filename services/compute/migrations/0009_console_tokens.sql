-- Words by which consoles may be opened, once each and soon: known by their hashes only. What is sealed is the token of whoever
-- asked, and opens with the word itself, so that this table opens nothing and asks nothing in anybody's name.
CREATE TABLE console_tokens (
    hash       TEXT PRIMARY KEY,
    server_id  TEXT NOT NULL,
    console    TEXT NOT NULL,
    sealed     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX console_tokens_of_server ON console_tokens (server_id, expires_at);
CREATE INDEX console_tokens_by_expiry ON console_tokens (expires_at);
