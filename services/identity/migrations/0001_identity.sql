-- Identity: who there is, what belongs to whom, who may do what where, and where the services are found.
-- Flags are 0 or 1, times are microseconds, `extra` holds the further attributes that Keystone lets clients keep.

CREATE TABLE domains (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    enabled     BIGINT NOT NULL,
    extra       TEXT NOT NULL
);

CREATE TABLE projects (
    id          TEXT PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    -- Null: the domain itself is the parent.
    parent_id   TEXT REFERENCES projects (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled     BIGINT NOT NULL,
    tags        TEXT NOT NULL,
    extra       TEXT NOT NULL,
    UNIQUE (domain_id, name)
);
CREATE INDEX projects_by_parent ON projects (parent_id);
CREATE INDEX projects_by_name ON projects (name);

CREATE TABLE users (
    id                  TEXT PRIMARY KEY,
    domain_id           TEXT NOT NULL REFERENCES domains (id),
    name                TEXT NOT NULL,
    enabled             BIGINT NOT NULL,
    default_project_id  TEXT,
    password_hash       TEXT,
    -- Tokens issued up to this instant are void: the password changed, or the user was disabled.
    tokens_void_until   BIGINT NOT NULL,
    options             TEXT NOT NULL,
    extra               TEXT NOT NULL,
    UNIQUE (domain_id, name)
);
CREATE INDEX users_by_name ON users (name);

CREATE TABLE user_groups (
    id          TEXT PRIMARY KEY,
    domain_id   TEXT NOT NULL REFERENCES domains (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    extra       TEXT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES user_groups (id),
    user_id  TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id);

CREATE TABLE roles (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    -- Empty: a role of the whole cloud. A domain's own role only serves to imply others.
    domain_id   TEXT NOT NULL,
    description TEXT,
    options     TEXT NOT NULL,
    extra       TEXT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE implied_roles (
    prior_role_id   TEXT NOT NULL REFERENCES roles (id),
    implied_role_id TEXT NOT NULL REFERENCES roles (id),
    PRIMARY KEY (prior_role_id, implied_role_id)
);

CREATE TABLE role_assignments (
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('user', 'group')),
    actor_id    TEXT NOT NULL,
    target_kind TEXT NOT NULL CHECK (target_kind IN ('project', 'domain', 'system')),
    -- `all` for the system.
    target_id   TEXT NOT NULL,
    role_id     TEXT NOT NULL REFERENCES roles (id),
    -- 1: holds for the projects below the target, not for the target itself.
    inherited   BIGINT NOT NULL,
    PRIMARY KEY (actor_kind, actor_id, target_kind, target_id, role_id, inherited)
);
CREATE INDEX role_assignments_by_target ON role_assignments (target_kind, target_id);
CREATE INDEX role_assignments_by_role ON role_assignments (role_id);

CREATE TABLE revoked_tokens (
    audit_id   TEXT PRIMARY KEY,
    -- After this the token would be void anyway, and the row can go.
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

CREATE TABLE application_credentials (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id),
    project_id   TEXT NOT NULL REFERENCES projects (id),
    name         TEXT NOT NULL,
    description  TEXT,
    secret_hash  TEXT NOT NULL,
    expires_at   BIGINT,
    unrestricted BIGINT NOT NULL,
    role_ids     TEXT NOT NULL,
    UNIQUE (user_id, name)
);
CREATE INDEX application_credentials_by_project ON application_credentials (project_id);

CREATE TABLE catalog_regions (
    id               TEXT PRIMARY KEY,
    parent_region_id TEXT REFERENCES catalog_regions (id),
    description      TEXT NOT NULL,
    extra            TEXT NOT NULL
);

CREATE TABLE catalog_services (
    id          TEXT PRIMARY KEY,
    type        TEXT NOT NULL,
    name        TEXT,
    description TEXT,
    enabled     BIGINT NOT NULL,
    extra       TEXT NOT NULL
);

CREATE TABLE catalog_endpoints (
    id         TEXT PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES catalog_services (id),
    region_id  TEXT REFERENCES catalog_regions (id),
    interface  TEXT NOT NULL CHECK (interface IN ('public', 'internal', 'admin')),
    url        TEXT NOT NULL,
    enabled    BIGINT NOT NULL,
    extra      TEXT NOT NULL
);
CREATE INDEX catalog_endpoints_by_service ON catalog_endpoints (service_id);
