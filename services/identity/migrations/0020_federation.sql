-- Federation: who vouches for people, how what is said of them is read, and who they are here.

CREATE TABLE identity_providers (
    id                TEXT PRIMARY KEY,
    -- Where its people live.
    domain_id         TEXT NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    enabled           BIGINT NOT NULL,
    description       TEXT,
    -- Minutes for which memberships in groups count after a login, beyond the token that it gave.
    authorization_ttl BIGINT
);
CREATE INDEX identity_providers_by_domain ON identity_providers (domain_id);

-- The names that identity providers have for themselves: an OpenID issuer, a SAML entity.
CREATE TABLE identity_provider_remote_ids (
    remote_id   TEXT PRIMARY KEY,
    provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE
);
CREATE INDEX identity_provider_remote_ids_by_provider ON identity_provider_remote_ids (provider_id);

CREATE TABLE federation_mappings (
    id             TEXT PRIMARY KEY,
    schema_version TEXT NOT NULL,
    rules          TEXT NOT NULL
);

CREATE TABLE federation_protocols (
    id                  TEXT NOT NULL,
    provider_id         TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    -- A mapping may go while a protocol names it; nobody can log in then.
    mapping_id          TEXT NOT NULL,
    remote_id_attribute TEXT,
    PRIMARY KEY (provider_id, id)
);

CREATE TABLE service_providers (
    id                 TEXT PRIMARY KEY,
    auth_url           TEXT NOT NULL,
    sp_url             TEXT NOT NULL,
    description        TEXT,
    enabled            BIGINT NOT NULL,
    relay_state_prefix TEXT NOT NULL
);

-- Which user is whom by an identity provider.
CREATE TABLE federated_users (
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    protocol_id TEXT NOT NULL,
    unique_id   TEXT NOT NULL,
    PRIMARY KEY (provider_id, protocol_id, unique_id)
);
CREATE INDEX federated_users_by_user ON federated_users (user_id);

-- The groups in which the last login put a user.
CREATE TABLE federated_memberships (
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_id    TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    -- Until then it counts beyond the token of that login.
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (user_id, group_id, provider_id)
);
CREATE INDEX federated_memberships_by_group ON federated_memberships (group_id);
CREATE INDEX federated_memberships_by_provider ON federated_memberships (provider_id);
