-- The data that a server's disk rests on, by which a node's request for an image is found. None where the row is from before.
ALTER TABLE servers ADD COLUMN image_sha512 TEXT;
CREATE INDEX servers_by_image ON servers (node_id, image_sha512) WHERE deleted_at IS NULL;
-- Grows when the root is to be made anew of its image.
ALTER TABLE servers ADD COLUMN root_edition BIGINT NOT NULL DEFAULT 0;
-- The volume of a claim, by which it is found.
ALTER TABLE server_claims ADD COLUMN volume_id TEXT;
CREATE INDEX server_claims_volume ON server_claims (volume_id) WHERE volume_id IS NOT NULL;
