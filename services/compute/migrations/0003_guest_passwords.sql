-- What a guest said, encrypted with its owner's public key; and by what the guest knows its root disk.
ALTER TABLE servers ADD COLUMN guest_password TEXT;
ALTER TABLE servers ADD COLUMN root_tag TEXT;
