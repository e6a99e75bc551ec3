-- Up to which event the beginning of the stream was deleted, so that who reads on from before it hears that he missed some.
-- One row.
CREATE TABLE events_pruned (through BIGINT NOT NULL);
INSERT INTO events_pruned (through) VALUES (0);
