-- Objects that come in parts, which the bytes of their container count, until they are one object.
CREATE TABLE object_uploads (
    id TEXT PRIMARY KEY,
    container_id TEXT NOT NULL REFERENCES object_containers (id),
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    begun_at BIGINT NOT NULL
);
CREATE INDEX object_uploads_by_name ON object_uploads (container_id, name, id);

CREATE TABLE object_parts (
    upload_id TEXT NOT NULL REFERENCES object_uploads (id),
    number BIGINT NOT NULL,
    data_id TEXT NOT NULL REFERENCES object_data (id),
    size BIGINT NOT NULL,
    md5 TEXT NOT NULL,
    put_at BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX object_parts_by_data ON object_parts (data_id);
