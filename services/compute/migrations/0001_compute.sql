-- What can be booted: sizes of machines, chosen by tenants, made by the operator.
CREATE TABLE flavors (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    vcpus BIGINT NOT NULL,
    memory_mb BIGINT NOT NULL,
    disk_gb BIGINT NOT NULL,
    ephemeral_gb BIGINT NOT NULL,
    swap_mb BIGINT NOT NULL,
    -- Thousandths: OpenStack's factor is a float, and no engine-neutral column is.
    rxtx_milli BIGINT NOT NULL,
    is_public BIGINT NOT NULL,
    -- JSON object of text.
    extra_specs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (name)
);

-- Who may use a flavor that is not public.
CREATE TABLE flavor_access (
    flavor_id TEXT NOT NULL REFERENCES flavors (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    PRIMARY KEY (flavor_id, project_id)
);

-- Public keys belong to a user, not to a project.
CREATE TABLE keypairs (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (user_id, name)
);

CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    -- Names the machine to the operator: instance-0000002a.
    seq BIGINT NOT NULL UNIQUE,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    description TEXT,
    reservation_id TEXT NOT NULL,
    launch_index BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    launched_at BIGINT,
    -- When its deletion was asked for, and when nothing of it was left.
    deleting_at BIGINT,
    deleted_at BIGINT,

    -- What is wanted. The generation grows with each change of it and travels to the node.
    generation BIGINT NOT NULL,
    power TEXT NOT NULL,
    reboots BIGINT NOT NULL,
    reboot_kind TEXT NOT NULL,
    zone TEXT,
    wanted_host TEXT,
    -- 1 if the operator named the host: filters do not count then.
    host_is_forced BIGINT NOT NULL,

    -- How far its life has come.
    phase TEXT NOT NULL,
    phase_at BIGINT NOT NULL,
    node_id TEXT,
    host TEXT,
    -- JSON list of the nodes where it could not be built.
    tried TEXT NOT NULL,
    -- JSON: code, message, details, created.
    fault TEXT,
    marked_error BIGINT NOT NULL,

    -- What its node found, and on which generation.
    found TEXT,
    found_generation BIGINT NOT NULL,
    found_reboots BIGINT NOT NULL,
    -- 1 if what was found is about the wanted generation.
    found_current BIGINT NOT NULL,

    -- What it was made of, as it was then.
    vcpus BIGINT NOT NULL,
    memory_mb BIGINT NOT NULL,
    flavor_id TEXT NOT NULL,
    flavor TEXT NOT NULL,
    image_id TEXT NOT NULL,
    image TEXT NOT NULL,
    key_name TEXT,
    public_key TEXT,
    user_data TEXT,
    -- Until the machine has run once.
    admin_password TEXT,
    config_drive BIGINT NOT NULL,
    disk_config TEXT NOT NULL,
    access_ip_v4 TEXT,
    access_ip_v6 TEXT,
    -- JSON object of text; JSON lists of text.
    metadata TEXT NOT NULL,
    tags TEXT NOT NULL,
    security_groups TEXT NOT NULL,
    -- `owner` or `admin` while locked.
    locked_by TEXT,
    locked_reason TEXT
);

CREATE INDEX servers_by_project ON servers (project_id, created_at, id);
CREATE INDEX servers_by_node ON servers (node_id) WHERE deleted_at IS NULL;
CREATE INDEX servers_deleting ON servers (deleting_at) WHERE deleted_at IS NULL AND deleting_at IS NOT NULL;
CREATE INDEX servers_on_the_way ON servers (phase, phase_at) WHERE deleted_at IS NULL AND phase <> 'built' AND phase <> 'failed';
CREATE INDEX servers_deleted ON servers (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a server holds, or may hold, of others: its allocation, its ports, its machine on a node. A row is written
-- before the first step outward and goes away only when the thing is known to be given back.
CREATE TABLE server_claims (
    server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    position BIGINT NOT NULL,
    -- JSON: what to ensure, and what the neighbour answered.
    ask TEXT,
    facts TEXT,
    -- The addresses among the facts, with a blank around each, for the `ip` filter.
    addresses TEXT,
    PRIMARY KEY (server_id, kind, position)
);

-- What was asked of a server and how it ended: os-instance-actions.
CREATE TABLE server_actions (
    server_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT,
    action TEXT NOT NULL,
    event TEXT NOT NULL,
    -- Done when the node reports on this generation; NULL for what is done at once.
    generation BIGINT,
    host TEXT,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    -- `Success` or `Error`.
    result TEXT,
    message TEXT,
    PRIMARY KEY (server_id, request_id)
);

-- Limits that differ from the defaults.
CREATE TABLE quota_limits (
    project_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);
