-- Policy documents that services may fetch, and for which endpoints they are.

CREATE TABLE policies (
    id    TEXT PRIMARY KEY,
    type  TEXT NOT NULL,
    blob  TEXT NOT NULL,
    extra TEXT NOT NULL
);

-- For one endpoint, for a service, or for a service in a region; what does not apply is empty.
CREATE TABLE policy_associations (
    endpoint_id TEXT NOT NULL,
    service_id  TEXT NOT NULL,
    region_id   TEXT NOT NULL,
    policy_id   TEXT NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    PRIMARY KEY (endpoint_id, service_id, region_id)
);
CREATE INDEX policy_associations_by_policy ON policy_associations (policy_id);
