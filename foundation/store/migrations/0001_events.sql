-- Every change of every room, written in the transaction of the change.
-- `id` is the place in the stream: it grows in the order in which changes become visible to readers.
CREATE TABLE events (
    id               INTEGER PRIMARY KEY,
    at               BIGINT NOT NULL,
    request_id       TEXT NOT NULL,
    user_id          TEXT,
    actor_project_id TEXT,
    actor            TEXT NOT NULL,
    project_id       TEXT,
    action           TEXT NOT NULL,
    resource_type    TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    before_state     TEXT,
    after_state      TEXT
);
CREATE INDEX events_by_resource ON events (resource_id, id);
CREATE INDEX events_by_project ON events (project_id, id);
CREATE INDEX events_by_request ON events (request_id, id);

-- One row, used on PostgreSQL only: there ids come from transaction numbers, which begin again when a dump is restored
-- into another cluster; `offset_by` is added to them so that the stream goes on growing.
CREATE TABLE event_clock (offset_by BIGINT NOT NULL);
INSERT INTO event_clock (offset_by) VALUES (0);
