-- A load balancer and all that belongs to it. Each change of any of it makes the next generation of the load balancer, and is
-- brought out with it: what was changed in a generation that was reached is as it shall be.
CREATE TABLE load_balancers (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    name                TEXT NOT NULL,
    description         TEXT NOT NULL,
    admin_state_up      BIGINT NOT NULL,
    tags                TEXT NOT NULL,
    provider            TEXT NOT NULL,
    -- JSON: its port and address, as the network room was asked for them.
    vip                 TEXT NOT NULL,
    vip_port_id         TEXT NOT NULL,
    vip_network_id      TEXT NOT NULL,
    vip_subnet_id       TEXT,
    vip_address         TEXT,
    provisioning_status TEXT NOT NULL,
    operating_status    TEXT NOT NULL,
    generation          BIGINT NOT NULL,
    reached             BIGINT NOT NULL,
    -- Why the last attempt to bring it out came to nothing.
    fault               TEXT,
    deleting_at         BIGINT,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT
);
CREATE INDEX load_balancers_by_project ON load_balancers (project_id, id);
CREATE INDEX load_balancers_with_work ON load_balancers (id) WHERE reached < generation OR deleting_at IS NOT NULL;

CREATE TABLE listeners (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    load_balancer_id    TEXT NOT NULL REFERENCES load_balancers (id),
    name                TEXT NOT NULL,
    description         TEXT NOT NULL,
    admin_state_up      BIGINT NOT NULL,
    tags                TEXT NOT NULL,
    protocol            TEXT NOT NULL,
    protocol_port       BIGINT NOT NULL,
    connection_limit    BIGINT NOT NULL,
    default_pool_id     TEXT,
    timeout_client_data BIGINT NOT NULL,
    timeout_member_connect BIGINT NOT NULL,
    timeout_member_data BIGINT NOT NULL,
    insert_headers      TEXT NOT NULL,
    allowed_cidrs       TEXT NOT NULL,
    provisioning_status TEXT NOT NULL,
    operating_status    TEXT NOT NULL,
    changed_in          BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT
);
CREATE INDEX listeners_by_load_balancer ON listeners (load_balancer_id, id);
CREATE INDEX listeners_by_project ON listeners (project_id, id);

CREATE TABLE pools (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    load_balancer_id    TEXT NOT NULL REFERENCES load_balancers (id),
    name                TEXT NOT NULL,
    description         TEXT NOT NULL,
    admin_state_up      BIGINT NOT NULL,
    tags                TEXT NOT NULL,
    protocol            TEXT NOT NULL,
    lb_algorithm        TEXT NOT NULL,
    session_persistence TEXT NOT NULL,
    provisioning_status TEXT NOT NULL,
    operating_status    TEXT NOT NULL,
    changed_in          BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT
);
CREATE INDEX pools_by_load_balancer ON pools (load_balancer_id, id);
CREATE INDEX pools_by_project ON pools (project_id, id);

CREATE TABLE members (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    load_balancer_id    TEXT NOT NULL REFERENCES load_balancers (id),
    pool_id             TEXT NOT NULL REFERENCES pools (id),
    name                TEXT NOT NULL,
    admin_state_up      BIGINT NOT NULL,
    tags                TEXT NOT NULL,
    address             TEXT NOT NULL,
    protocol_port       BIGINT NOT NULL,
    subnet_id           TEXT,
    weight              BIGINT NOT NULL,
    backup              BIGINT NOT NULL,
    monitor_address     TEXT,
    monitor_port        BIGINT,
    -- What the last look said: up, down, or nothing yet.
    health              TEXT NOT NULL,
    provisioning_status TEXT NOT NULL,
    operating_status    TEXT NOT NULL,
    changed_in          BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT,
    UNIQUE (pool_id, address, protocol_port)
);
CREATE INDEX members_by_load_balancer ON members (load_balancer_id, id);
CREATE INDEX members_by_project ON members (project_id, id);

CREATE TABLE health_monitors (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    load_balancer_id    TEXT NOT NULL REFERENCES load_balancers (id),
    pool_id             TEXT NOT NULL UNIQUE REFERENCES pools (id),
    name                TEXT NOT NULL,
    admin_state_up      BIGINT NOT NULL,
    tags                TEXT NOT NULL,
    type                TEXT NOT NULL,
    delay               BIGINT NOT NULL,
    timeout             BIGINT NOT NULL,
    max_retries         BIGINT NOT NULL,
    max_retries_down    BIGINT NOT NULL,
    http_method         TEXT,
    url_path            TEXT,
    expected_codes      TEXT,
    http_version        TEXT,
    domain_name         TEXT,
    provisioning_status TEXT NOT NULL,
    operating_status    TEXT NOT NULL,
    changed_in          BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT
);
CREATE INDEX health_monitors_by_load_balancer ON health_monitors (load_balancer_id, id);
CREATE INDEX health_monitors_by_project ON health_monitors (project_id, id);

-- What projects may have, where the operator said otherwise than for all. None is no limit.
CREATE TABLE balancer_quotas (
    project_id TEXT NOT NULL,
    resource   TEXT NOT NULL,
    most       BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);
