-- Who has room. A provider's generation grows with each change of its inventories, traits or aggregates and with each
-- allocation against it; a write names the generation that it read.
CREATE TABLE placement_providers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE placement_inventories (
    provider_id TEXT NOT NULL REFERENCES placement_providers (id),
    resource_class TEXT NOT NULL,
    total BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    min_unit BIGINT NOT NULL,
    max_unit BIGINT NOT NULL,
    step_size BIGINT NOT NULL,
    -- Millionths: a ratio of 1.5 is 1500000.
    ratio BIGINT NOT NULL,
    PRIMARY KEY (provider_id, resource_class)
);

CREATE TABLE placement_traits (
    provider_id TEXT NOT NULL REFERENCES placement_providers (id),
    name TEXT NOT NULL,
    PRIMARY KEY (provider_id, name)
);

CREATE TABLE placement_consumers (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    consumer_type TEXT,
    generation BIGINT NOT NULL
);

CREATE TABLE placement_allocations (
    consumer_id TEXT NOT NULL REFERENCES placement_consumers (id),
    provider_id TEXT NOT NULL REFERENCES placement_providers (id),
    resource_class TEXT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (consumer_id, provider_id, resource_class)
);
CREATE INDEX placement_allocations_provider ON placement_allocations (provider_id, resource_class);

CREATE TABLE placement_custom_names (
    -- 'class' or 'trait'
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
