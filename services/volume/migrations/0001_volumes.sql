-- Kinds of volumes, made by the operator.
CREATE TABLE volume_types (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    is_public BIGINT NOT NULL,
    -- JSON object of text.
    extra_specs TEXT NOT NULL,
    qos_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    UNIQUE (name)
);

-- Who may use a type that is not public.
CREATE TABLE volume_type_access (
    type_id TEXT NOT NULL REFERENCES volume_types (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    PRIMARY KEY (type_id, project_id)
);

-- The type that a project's volumes get if it is not said.
CREATE TABLE volume_default_types (
    project_id TEXT PRIMARY KEY,
    type_id TEXT NOT NULL REFERENCES volume_types (id)
);

-- What the operator notes for types; nothing here acts on it.
CREATE TABLE volume_qos_specs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    consumer TEXT NOT NULL,
    -- JSON object of text.
    specs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (name)
);

-- Limits that differ from those of the class `default`.
CREATE TABLE volume_quota_limits (
    project_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);

CREATE TABLE volume_quota_classes (
    class TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (class, resource)
);

-- Hosts that the operator takes no new volumes to.
CREATE TABLE volume_hosts_disabled (
    node_id TEXT PRIMARY KEY,
    reason TEXT,
    disabled_at BIGINT NOT NULL
);

-- Hosts on which nothing is made, changed or deleted until the operator says so.
CREATE TABLE volume_hosts_frozen (
    node_id TEXT PRIMARY KEY,
    frozen_at BIGINT NOT NULL
);

-- Kinds of groups, made by the operator.
CREATE TABLE volume_group_types (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    is_public BIGINT NOT NULL,
    -- JSON object of text.
    specs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (name)
);

-- Volumes that belong together.
CREATE TABLE volume_groups (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    group_type_id TEXT NOT NULL REFERENCES volume_group_types (id),
    -- JSON list: the types of which its volumes may be.
    volume_types TEXT NOT NULL,
    group_snapshot_id TEXT,
    source_group_id TEXT,
    forced_status TEXT,
    deleting_at BIGINT,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_groups_by_project ON volume_groups (project_id, created_at, id);
CREATE INDEX volume_groups_by_age ON volume_groups (created_at, id);
CREATE INDEX volume_groups_by_type ON volume_groups (group_type_id);

CREATE TABLE volume_group_snapshots (
    id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL REFERENCES volume_groups (id),
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    group_type_id TEXT NOT NULL,
    forced_status TEXT,
    deleting_at BIGINT,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volume_group_snapshots_by_project ON volume_group_snapshots (project_id, created_at, id);
CREATE INDEX volume_group_snapshots_by_age ON volume_group_snapshots (created_at, id);
CREATE INDEX volume_group_snapshots_by_group ON volume_group_snapshots (group_id);

CREATE TABLE volumes (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    -- GiB: what it has, and what it shall have.
    size BIGINT NOT NULL,
    wanted_size BIGINT NOT NULL,
    type_id TEXT NOT NULL REFERENCES volume_types (id),
    zone TEXT NOT NULL,
    bootable BIGINT NOT NULL,
    read_only BIGINT NOT NULL,
    -- Whether its owner ever said so or otherwise: clients are shown it from then on.
    says_read_only BIGINT NOT NULL,
    -- JSON objects of text.
    metadata TEXT NOT NULL,
    image_metadata TEXT NOT NULL,
    -- JSON: what it held when it was made.
    origin TEXT NOT NULL,
    snapshot_id TEXT,
    source_volume_id TEXT,
    -- How far its making has come: planned, making, there, failed, missing.
    life TEXT NOT NULL,
    -- What its node says that it is doing.
    step TEXT,
    fault TEXT,
    -- What the operator said that its status is.
    forced_status TEXT,
    -- Where it lies, and how Cinder calls that place.
    node_id TEXT,
    host TEXT,
    -- The furthest that an attachment of it has come.
    attach TEXT,
    -- The only node that may open it, and what its own node said of that last (JSON).
    door_node TEXT,
    door_found TEXT,
    -- JSON: the image that it is being copied to.
    copy TEXT,
    -- Of the offer by which another project may take it.
    transfer_id TEXT,
    group_id TEXT,
    deleting_at BIGINT,
    -- What its node is told.
    generation BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    -- The words for clients, worked out from the rest.
    status TEXT NOT NULL,
    -- Whether a reconciler has something to do or to wait for.
    has_work BIGINT NOT NULL
);
CREATE INDEX volumes_by_project ON volumes (project_id, created_at, id);
CREATE INDEX volumes_by_age ON volumes (created_at, id);
CREATE INDEX volumes_by_node ON volumes (node_id, wanted_size);
CREATE INDEX volumes_by_type ON volumes (type_id);
CREATE INDEX volumes_by_source ON volumes (source_volume_id);
CREATE INDEX volumes_by_snapshot ON volumes (snapshot_id);
CREATE INDEX volumes_by_group ON volumes (group_id);
CREATE INDEX volumes_with_work ON volumes (has_work, id);

CREATE TABLE volume_snapshots (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL REFERENCES volumes (id),
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    size BIGINT NOT NULL,
    type_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    -- Of the snapshot of a whole group that it is a part of.
    group_snapshot_id TEXT,
    -- making, there, failed, missing.
    life TEXT NOT NULL,
    fault TEXT,
    -- What somebody said how far it is.
    progress TEXT,
    forced_status TEXT,
    deleting_at BIGINT,
    -- The order in which they were taken of one volume.
    position BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    status TEXT NOT NULL
);
CREATE INDEX volume_snapshots_by_project ON volume_snapshots (project_id, created_at, id);
CREATE INDEX volume_snapshots_by_age ON volume_snapshots (created_at, id);
CREATE INDEX volume_snapshots_by_volume ON volume_snapshots (volume_id, position);
CREATE INDEX volume_snapshots_by_group ON volume_snapshots (group_snapshot_id);

CREATE TABLE volume_attachments (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL REFERENCES volumes (id),
    -- Whose server, or whatever a client calls it.
    server_id TEXT,
    -- Made by compute: only its API takes it away.
    by_compute BIGINT NOT NULL,
    -- reserved, attaching, attached, detaching.
    stage TEXT NOT NULL,
    read_only BIGINT NOT NULL,
    device TEXT,
    host TEXT,
    -- JSON, as the client sent it.
    connector TEXT,
    created_at BIGINT NOT NULL,
    attached_at BIGINT
);
CREATE INDEX volume_attachments_by_volume ON volume_attachments (volume_id);
CREATE INDEX volume_attachments_by_server ON volume_attachments (server_id);

-- What went wrong, for whoever asked for it.
CREATE TABLE volume_messages (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    message TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    kept_until BIGINT NOT NULL
);
CREATE INDEX volume_messages_by_project ON volume_messages (project_id, created_at, id);
CREATE INDEX volume_messages_by_age ON volume_messages (created_at, id);
CREATE INDEX volume_messages_by_end ON volume_messages (kept_until);

-- Volumes that no row knows and that a host shall give up by the operator's word, until it has said that they are gone.
CREATE TABLE released_volumes (
    node_id     TEXT NOT NULL,
    volume_id   TEXT NOT NULL,
    released_at BIGINT NOT NULL,
    PRIMARY KEY (node_id, volume_id)
);

-- Offers of volumes to other projects.
CREATE TABLE volume_transfers (
    id TEXT PRIMARY KEY,
    volume_id TEXT NOT NULL REFERENCES volumes (id),
    project_id TEXT NOT NULL,
    name TEXT,
    -- SHA-256 of the salt and the key, which is told once.
    salt TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    no_snapshots BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (volume_id)
);
CREATE INDEX volume_transfers_by_project ON volume_transfers (project_id, created_at, id);
CREATE INDEX volume_transfers_by_age ON volume_transfers (created_at, id);
