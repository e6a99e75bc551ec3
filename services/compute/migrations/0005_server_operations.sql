-- What is being done to a server, from the request until it is done or given up. One at a time; those that are over stay
-- as long as their server.
CREATE TABLE server_operations (
    id TEXT PRIMARY KEY,
    server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    stage TEXT NOT NULL,
    -- JSON of our own, with its version: what was asked for, and what it takes to go back.
    ask TEXT NOT NULL,
    -- Where a server goes that moves.
    from_node TEXT,
    to_node TEXT,
    request_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    stage_at BIGINT NOT NULL,
    -- When it is given up if this stage is not over; NULL where nothing is waited for but a word of the user.
    deadline BIGINT,
    -- `done`, or why it was not.
    outcome TEXT,
    finished_at BIGINT
);
CREATE UNIQUE INDEX server_operation_open ON server_operations (server_id) WHERE finished_at IS NULL;
CREATE INDEX server_operations_of_server ON server_operations (server_id, started_at);
CREATE INDEX server_operations_open ON server_operations (stage_at) WHERE finished_at IS NULL;
CREATE INDEX server_operations_due ON server_operations (deadline) WHERE finished_at IS NULL AND deadline IS NOT NULL;

INSERT INTO server_operations (id, server_id, kind, stage, ask, request_id, actor, started_at, stage_at)
    SELECT id, id, 'build',
        CASE phase WHEN 'rescheduling' THEN 'leaving' ELSE phase END,
        '{"version":1}',
        coalesce((SELECT max(request_id) FROM server_actions a WHERE a.server_id = servers.id AND a.action = 'create'), ''),
        'compute', created_at, phase_at
    FROM servers WHERE deleted_at IS NULL AND phase <> 'built' AND phase <> 'failed';

-- The order of a snapshot was JSON in the server's row, its stage the last word of it.
INSERT INTO server_operations (id, server_id, kind, stage, ask, request_id, actor, started_at, stage_at)
    SELECT id, id, 'create_image',
        CASE WHEN snapshot LIKE '%"stage":"asked"}' THEN 'image_asked'
             WHEN snapshot LIKE '%"stage":"copied"}' THEN 'copied'
             WHEN snapshot LIKE '%"stage":"sending"}' THEN 'uploading'
             WHEN snapshot LIKE '%"stage":"failing"}' THEN 'image_failing'
             ELSE 'copying' END,
        snapshot,
        coalesce((SELECT max(request_id) FROM server_actions a WHERE a.server_id = servers.id AND a.action = 'createImage' AND a.finished_at IS NULL), ''),
        'compute', updated_at, updated_at
    FROM servers WHERE deleted_at IS NULL AND phase = 'built' AND snapshot IS NOT NULL;

INSERT INTO server_operations (id, server_id, kind, stage, ask, request_id, actor, started_at, stage_at)
    SELECT id, id, 'reboot', 'told',
        CASE reboot_kind WHEN 'hard' THEN '{"version":1,"kind":"hard"}' ELSE '{"version":1,"kind":"soft"}' END,
        coalesce((SELECT max(request_id) FROM server_actions a WHERE a.server_id = servers.id AND a.action = 'reboot' AND a.finished_at IS NULL), ''),
        'compute', updated_at, updated_at
    FROM servers WHERE deleted_at IS NULL AND deleting_at IS NULL AND phase = 'built' AND snapshot IS NULL
        AND power = 'running' AND found_reboots < reboots;

-- A claim names its node, so that two can be held at once, and the operation for which it is held.
CREATE TABLE claims_by_node (
    id TEXT PRIMARY KEY,
    server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    node_id TEXT,
    operation_id TEXT,
    position BIGINT NOT NULL,
    -- JSON: what to ensure, and what the neighbour answered.
    ask TEXT,
    facts TEXT,
    -- The addresses among the facts, with a blank around each, for the `ip` filter.
    addresses TEXT
);
INSERT INTO claims_by_node (id, server_id, kind, node_id, position, ask, facts, addresses)
    SELECT c.server_id || ':' || c.kind || ':' || c.position, c.server_id, c.kind,
        CASE c.kind WHEN 'machine' THEN s.node_id END, c.position, c.ask, c.facts, c.addresses
    FROM server_claims c JOIN servers s ON s.id = c.server_id
    -- A machine of which no node is known was never told to one.
    WHERE c.kind <> 'machine' OR s.node_id IS NOT NULL;
DROP TABLE server_claims;
ALTER TABLE claims_by_node RENAME TO server_claims;
CREATE INDEX server_claims_of_server ON server_claims (server_id, kind, position);
CREATE UNIQUE INDEX server_claims_machine ON server_claims (node_id, server_id) WHERE kind = 'machine';

-- How far its life has come, which is one thing; what is being done to it is another.
ALTER TABLE servers ADD COLUMN life TEXT NOT NULL DEFAULT 'new';
-- Grows with each change of the row.
ALTER TABLE servers ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
-- The words that clients see, as the one writer of the row worked them out.
ALTER TABLE servers ADD COLUMN status TEXT NOT NULL DEFAULT 'BUILD';
ALTER TABLE servers ADD COLUMN vm_state TEXT NOT NULL DEFAULT 'building';
ALTER TABLE servers ADD COLUMN task_state TEXT;
ALTER TABLE servers ADD COLUMN power_state BIGINT NOT NULL DEFAULT 0;

UPDATE servers SET life = CASE phase WHEN 'built' THEN 'built' WHEN 'failed' THEN 'failed' ELSE 'new' END;
UPDATE servers SET vm_state = CASE
    WHEN deleted_at IS NOT NULL THEN 'deleted'
    WHEN phase IN ('scheduling', 'networking', 'spawning', 'rescheduling') THEN 'building'
    WHEN phase <> 'built' OR marked_error = 1 OR (coalesce(found, '') IN ('failed', 'held') AND found_current = 1) THEN 'error'
    WHEN coalesce(found, '') IN ('running', 'held') THEN 'active'
    WHEN coalesce(found, '') = 'preparing' AND power = 'running' AND found_reboots < reboots THEN 'active'
    ELSE 'stopped' END;
UPDATE servers SET task_state = CASE
    WHEN deleted_at IS NOT NULL THEN NULL
    WHEN deleting_at IS NOT NULL THEN 'deleting'
    WHEN phase IN ('scheduling', 'rescheduling') THEN 'scheduling'
    WHEN phase IN ('networking', 'spawning') THEN phase
    WHEN vm_state = 'error' THEN NULL
    WHEN snapshot LIKE '%"stage":"asked"}' THEN 'image_snapshot_pending'
    WHEN snapshot LIKE '%"stage":"copied"}' THEN 'image_pending_upload'
    WHEN snapshot LIKE '%"stage":"sending"}' THEN 'image_uploading'
    WHEN snapshot IS NOT NULL THEN 'image_snapshot'
    WHEN power = 'running' AND found_reboots < reboots THEN CASE WHEN reboot_kind = 'hard' THEN 'rebooting_hard' ELSE 'rebooting' END
    WHEN power = 'running' AND coalesce(found, '') NOT IN ('running', 'held') AND NOT (coalesce(found, '') = 'stopped' AND found_current = 1)
        THEN 'powering-on'
    WHEN power = 'stopped' AND coalesce(found, '') IN ('running', 'held') THEN 'powering-off' END;
UPDATE servers SET status = CASE vm_state
    WHEN 'deleted' THEN 'DELETED' WHEN 'building' THEN 'BUILD' WHEN 'stopped' THEN 'SHUTOFF' WHEN 'error' THEN 'ERROR'
    ELSE CASE task_state WHEN 'rebooting' THEN 'REBOOT' WHEN 'rebooting_hard' THEN 'HARD_REBOOT' ELSE 'ACTIVE' END END;
UPDATE servers SET power_state = CASE
    WHEN deleted_at IS NOT NULL OR phase <> 'built' THEN 0
    WHEN found = 'running' THEN 1 WHEN found = 'stopped' THEN 4 WHEN found = 'held' THEN 3 WHEN found = 'failed' THEN 6 ELSE 0 END;

DROP INDEX servers_on_the_way;
DROP INDEX servers_with_snapshot;
ALTER TABLE servers DROP COLUMN phase;
ALTER TABLE servers DROP COLUMN phase_at;
ALTER TABLE servers DROP COLUMN snapshot;
ALTER TABLE servers DROP COLUMN found_current;

CREATE INDEX servers_by_status ON servers (project_id, status) WHERE deleted_at IS NULL;
-- The sums of the quotas come from the index alone.
CREATE INDEX servers_quota ON servers (project_id, vcpus, memory_mb) WHERE deleted_at IS NULL;
