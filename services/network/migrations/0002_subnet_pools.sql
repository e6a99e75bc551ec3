-- Prefixes from which subnets are cut, so that those of one pool never overlap, whatever networks they are on.

CREATE TABLE subnet_pools (
    id                TEXT PRIMARY KEY,
    project_id        TEXT NOT NULL,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL,
    ip_version        BIGINT NOT NULL,
    prefixes          TEXT NOT NULL,
    default_prefixlen BIGINT NOT NULL,
    min_prefixlen     BIGINT NOT NULL,
    max_prefixlen     BIGINT NOT NULL,
    -- IPv4 addresses, or IPv6 /64s, that one project may take.
    default_quota     BIGINT,
    shared            BIGINT NOT NULL,
    is_default        BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    generation        BIGINT NOT NULL
);
CREATE INDEX subnet_pools_by_project ON subnet_pools (project_id);
CREATE UNIQUE INDEX subnet_pools_by_default ON subnet_pools (ip_version) WHERE is_default = 1;

ALTER TABLE subnets ADD COLUMN subnetpool_id TEXT REFERENCES subnet_pools (id);
CREATE INDEX subnets_by_pool ON subnets (subnetpool_id);
