-- Load balancers as far as OVN carries them: what the balancer room asked for, a row for each.
CREATE TABLE balancers (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    port_id    TEXT NOT NULL,
    network_id TEXT NOT NULL,
    -- JSON: connections to which ports go where.
    spread     TEXT NOT NULL
);
CREATE INDEX balancers_by_port ON balancers (port_id);
CREATE INDEX balancers_by_network ON balancers (network_id);

-- The addresses of members that are checked: the balancers whose rows change when a port with such an address comes or goes.
CREATE TABLE balancer_backends (
    balancer_id TEXT NOT NULL REFERENCES balancers (id) ON DELETE CASCADE,
    address     TEXT NOT NULL,
    PRIMARY KEY (address, balancer_id)
);
CREATE INDEX balancer_backends_by_balancer ON balancer_backends (balancer_id);

-- The ports that are the addresses of load balancers, whoever carries them: they are not deleted under them.
CREATE TABLE balancer_ports (
    port_id     TEXT PRIMARY KEY,
    balancer_id TEXT NOT NULL
);
