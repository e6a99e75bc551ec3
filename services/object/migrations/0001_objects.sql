CREATE TABLE object_accounts (
    project_id TEXT PRIMARY KEY,
    metadata TEXT NOT NULL,
    quota_bytes BIGINT,
    containers BIGINT NOT NULL,
    objects BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE object_containers (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES object_accounts (project_id),
    name TEXT NOT NULL,
    metadata TEXT NOT NULL,
    read_acl TEXT NOT NULL,
    write_acl TEXT NOT NULL,
    history TEXT,
    objects BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

-- Data that objects share: a copy holds what it was made of. What is small lies here, all else in pieces.
CREATE TABLE object_data (
    id TEXT PRIMARY KEY,
    size BIGINT NOT NULL,
    holders BIGINT NOT NULL,
    small BLOB
);

CREATE TABLE object_pieces (
    data_id TEXT NOT NULL REFERENCES object_data (id),
    ordinal BIGINT NOT NULL,
    segment BIGINT NOT NULL,
    position BIGINT NOT NULL,
    length BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    PRIMARY KEY (data_id, ordinal)
);
CREATE INDEX object_pieces_by_place ON object_pieces (segment, position);

-- Pieces that nothing holds any more, until they are gone.
CREATE TABLE object_released (
    data_id TEXT NOT NULL,
    segment BIGINT NOT NULL,
    position BIGINT NOT NULL,
    length BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    released_at BIGINT NOT NULL,
    PRIMARY KEY (segment, position)
);
CREATE INDEX object_released_by_data ON object_released (data_id);

-- Words under which data may be on its way in; each goes with the transaction that makes its data something's.
CREATE TABLE object_owners (
    owner TEXT PRIMARY KEY,
    keeper TEXT NOT NULL,
    noted_at BIGINT NOT NULL
);

CREATE TABLE object_objects (
    container_id TEXT NOT NULL REFERENCES object_containers (id),
    name TEXT NOT NULL,
    data_id TEXT NOT NULL REFERENCES object_data (id),
    size BIGINT NOT NULL,
    shown_size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    stamp BIGINT NOT NULL,
    delete_at BIGINT,
    PRIMARY KEY (container_id, name)
);
CREATE INDEX object_objects_due ON object_objects (delete_at) WHERE delete_at IS NOT NULL;
