-- Which controller has the lead. One row. The generation grows with each lead that is taken; on PostgreSQL it is
-- changed only by the session that holds the lead's lock, and locked for reading by each write that needs the lead.
CREATE TABLE lead (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL,
    holder     TEXT NOT NULL,
    since      BIGINT NOT NULL
);
INSERT INTO lead (id, generation, holder, since) VALUES (1, 0, '', 0);

-- The controllers of this cloud, by the first address under which the others and the nodes reach them.
CREATE TABLE controllers (
    name      TEXT PRIMARY KEY,
    -- JSON.
    addresses TEXT NOT NULL,
    seen_at   BIGINT NOT NULL
);
