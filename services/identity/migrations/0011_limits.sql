-- How much of what a project or a domain may have: the cloud's default for each resource of a service, and what deviates.
-- An empty region means all regions, an empty project or domain that it is for the other; so each is unique.

CREATE TABLE registered_limits (
    id            TEXT PRIMARY KEY,
    service_id    TEXT NOT NULL REFERENCES catalog_services (id),
    region_id     TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    default_limit BIGINT NOT NULL,
    description   TEXT,
    UNIQUE (service_id, region_id, resource_name)
);

CREATE TABLE limits (
    id                  TEXT PRIMARY KEY,
    registered_limit_id TEXT NOT NULL REFERENCES registered_limits (id),
    -- Those of the registered limit, which does not change while limits hang on it.
    service_id          TEXT NOT NULL,
    region_id           TEXT NOT NULL,
    resource_name       TEXT NOT NULL,
    project_id          TEXT NOT NULL,
    domain_id           TEXT NOT NULL,
    resource_limit      BIGINT NOT NULL,
    description         TEXT,
    UNIQUE (registered_limit_id, project_id, domain_id)
);
CREATE INDEX limits_by_project ON limits (project_id);
CREATE INDEX limits_by_domain ON limits (domain_id);
CREATE INDEX limits_by_service ON limits (service_id);
