-- The snapshot of its disk that a server is being taken of, as JSON: the image, and how far it is. One at a time.
ALTER TABLE servers ADD COLUMN snapshot TEXT;

CREATE INDEX servers_with_snapshot ON servers (id) WHERE snapshot IS NOT NULL;
