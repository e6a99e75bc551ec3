-- What tenants asked for. What of it has reached OVN is in `north_keys`; what OVN reports back is in `ports.up`.
-- `generation` is Neutron's revision_number: it grows by one with each change of the row.

CREATE TABLE networks (
    id                      TEXT PRIMARY KEY,
    project_id              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    description             TEXT NOT NULL,
    admin_state_up          BIGINT NOT NULL,
    shared                  BIGINT NOT NULL,
    external                BIGINT NOT NULL,
    is_default              BIGINT NOT NULL,
    port_security_enabled   BIGINT NOT NULL,
    mtu                     BIGINT NOT NULL,
    network_type            TEXT NOT NULL,
    physical_network        TEXT,
    segmentation_id         BIGINT,
    availability_zone_hints TEXT NOT NULL,
    dns_domain              TEXT NOT NULL,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    generation              BIGINT NOT NULL
);
CREATE INDEX networks_by_project ON networks (project_id);
-- A VLAN of a physical network, or a Geneve number, belongs to one network.
CREATE UNIQUE INDEX networks_by_segment ON networks (network_type, physical_network, segmentation_id);
CREATE UNIQUE INDEX networks_by_tunnel ON networks (segmentation_id) WHERE network_type = 'geneve';
CREATE UNIQUE INDEX networks_by_flat ON networks (physical_network) WHERE network_type = 'flat';

CREATE TABLE subnets (
    id                TEXT PRIMARY KEY,
    network_id        TEXT NOT NULL REFERENCES networks (id),
    project_id        TEXT NOT NULL,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL,
    ip_version        BIGINT NOT NULL,
    cidr              TEXT NOT NULL,
    gateway_ip        TEXT,
    enable_dhcp       BIGINT NOT NULL,
    ipv6_ra_mode      TEXT,
    ipv6_address_mode TEXT,
    allocation_pools  TEXT NOT NULL,
    dns_nameservers   TEXT NOT NULL,
    host_routes       TEXT NOT NULL,
    service_types     TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    generation        BIGINT NOT NULL
);
CREATE INDEX subnets_by_network ON subnets (network_id);
CREATE INDEX subnets_by_project ON subnets (project_id);

CREATE TABLE ports (
    id                    TEXT PRIMARY KEY,
    network_id            TEXT NOT NULL REFERENCES networks (id),
    project_id            TEXT NOT NULL,
    name                  TEXT NOT NULL,
    description           TEXT NOT NULL,
    admin_state_up        BIGINT NOT NULL,
    mac_address           TEXT NOT NULL,
    device_id             TEXT NOT NULL,
    device_owner          TEXT NOT NULL,
    port_security_enabled BIGINT NOT NULL,
    allowed_address_pairs TEXT NOT NULL,
    extra_dhcp_opts       TEXT NOT NULL,
    dns_name              TEXT NOT NULL,
    host_id               TEXT NOT NULL,
    vnic_type             TEXT NOT NULL,
    profile               TEXT NOT NULL,
    -- Whether OVN last said that a host has plugged the port.
    up                    BIGINT NOT NULL,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    generation            BIGINT NOT NULL
);
CREATE UNIQUE INDEX ports_by_mac ON ports (network_id, mac_address);
CREATE INDEX ports_by_project ON ports (project_id);
CREATE INDEX ports_by_device ON ports (device_id);

-- Invariant: an address of a subnet has one holder (test: `concurrent_creates_never_share_an_address`).
CREATE TABLE port_addresses (
    subnet_id TEXT NOT NULL REFERENCES subnets (id),
    -- 32 hex digits, so that addresses sort as numbers.
    place     TEXT NOT NULL,
    address   TEXT NOT NULL,
    port_id   TEXT NOT NULL REFERENCES ports (id),
    PRIMARY KEY (subnet_id, place)
);
CREATE INDEX port_addresses_by_port ON port_addresses (port_id);
CREATE INDEX port_addresses_by_address ON port_addresses (address);

CREATE TABLE security_groups (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    stateful    BIGINT NOT NULL,
    is_default  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    generation  BIGINT NOT NULL
);
CREATE INDEX security_groups_by_project ON security_groups (project_id);
CREATE UNIQUE INDEX security_groups_by_default ON security_groups (project_id) WHERE is_default = 1;

CREATE TABLE security_group_rules (
    id                TEXT PRIMARY KEY,
    security_group_id TEXT NOT NULL REFERENCES security_groups (id),
    project_id        TEXT NOT NULL,
    description       TEXT NOT NULL,
    direction         TEXT NOT NULL,
    ethertype         TEXT NOT NULL,
    protocol          TEXT,
    port_range_min    BIGINT,
    port_range_max    BIGINT,
    remote_group_id   TEXT REFERENCES security_groups (id),
    remote_ip_prefix  TEXT,
    -- All that a rule says, in one text: what makes two rules the same.
    sameness          TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    generation        BIGINT NOT NULL
);
CREATE UNIQUE INDEX security_group_rules_by_sameness ON security_group_rules (security_group_id, sameness);
CREATE INDEX security_group_rules_by_project ON security_group_rules (project_id);
CREATE INDEX security_group_rules_by_remote ON security_group_rules (remote_group_id);

CREATE TABLE port_security_groups (
    port_id           TEXT NOT NULL REFERENCES ports (id),
    security_group_id TEXT NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port_id, security_group_id)
);
CREATE INDEX port_security_groups_by_group ON port_security_groups (security_group_id);

CREATE TABLE routers (
    id                      TEXT PRIMARY KEY,
    project_id              TEXT NOT NULL,
    name                    TEXT NOT NULL,
    description             TEXT NOT NULL,
    admin_state_up          BIGINT NOT NULL,
    -- The port of the router on its external network, if it has one.
    gateway_port_id         TEXT REFERENCES ports (id),
    enable_snat             BIGINT NOT NULL,
    routes                  TEXT NOT NULL,
    availability_zone_hints TEXT NOT NULL,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    generation              BIGINT NOT NULL
);
CREATE INDEX routers_by_project ON routers (project_id);
CREATE INDEX routers_by_gateway ON routers (gateway_port_id);

CREATE TABLE floating_ips (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    description         TEXT NOT NULL,
    -- Holds the address on the external network.
    floating_port_id    TEXT NOT NULL REFERENCES ports (id),
    floating_network_id TEXT NOT NULL REFERENCES networks (id),
    floating_ip_address TEXT NOT NULL,
    port_id             TEXT REFERENCES ports (id),
    fixed_ip_address    TEXT,
    router_id           TEXT REFERENCES routers (id),
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    generation          BIGINT NOT NULL
);
CREATE INDEX floating_ips_by_project ON floating_ips (project_id);
CREATE INDEX floating_ips_by_port ON floating_ips (port_id);
CREATE INDEX floating_ips_by_router ON floating_ips (router_id);
CREATE INDEX floating_ips_by_network ON floating_ips (floating_network_id);
CREATE UNIQUE INDEX floating_ips_by_fixed ON floating_ips (port_id, fixed_ip_address, floating_network_id);

-- Limits that an operator set for a project; all others are the defaults. -1 is no limit.
CREATE TABLE network_quotas (
    project_id TEXT NOT NULL,
    resource   TEXT NOT NULL,
    most       BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);

CREATE TABLE network_tags (
    resource_id TEXT NOT NULL,
    tag         TEXT NOT NULL,
    PRIMARY KEY (resource_id, tag)
);

-- What must be written to OVN: a key such as `port/ID` whose generation is ahead of what OVN was given. A change marks
-- its keys in its own transaction, also when it deletes; the reconciler removes the row of a thing that is gone.
CREATE TABLE north_keys (
    id                TEXT PRIMARY KEY,
    generation        BIGINT NOT NULL,
    synced_generation BIGINT NOT NULL,
    -- When it failed last, so that what fails does not stand in the way of the rest.
    failed_at         BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX north_keys_pending ON north_keys (failed_at, id) WHERE synced_generation < generation;
-- The group of all ports with port security, whose rules drop what no security group allows.
INSERT INTO north_keys (id, generation, synced_generation) VALUES ('drop', 1, 0);
