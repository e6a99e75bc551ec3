-- When OVN was rid of a thing that is gone. Its key stays for a while after that: rows of it that turn up in OVN nevertheless
-- are known by it to be ours to remove. What OVN has under a key that is not here at all is kept.
ALTER TABLE north_keys ADD COLUMN gone_at BIGINT;
