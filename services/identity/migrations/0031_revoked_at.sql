-- When each token was revoked: the stream of events, which knew it, is not kept for ever.
ALTER TABLE revoked_tokens ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;
UPDATE revoked_tokens SET revoked_at = coalesce(
    (SELECT max(events.at) FROM events WHERE events.resource_id = revoked_tokens.audit_id AND events.resource_type = 'token'), 0);
