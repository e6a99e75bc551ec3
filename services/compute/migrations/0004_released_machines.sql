-- Machines that a node may still have and that shall go: let go without word from it, found there after their server was
-- deleted, or named by the operator. A node is told of them by name until it has said that they are gone; what stands
-- neither here nor among the servers, it keeps.
CREATE TABLE released_machines (
    node_id     TEXT NOT NULL,
    server_id   TEXT NOT NULL,
    released_at BIGINT NOT NULL,
    PRIMARY KEY (node_id, server_id)
);
