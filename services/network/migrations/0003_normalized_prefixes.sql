-- The prefix of a rule without its host bits, by which rules are found. It is written with each new rule; of the rules that
-- are there, those few whose maker left host bits in are found by the prefix as he wrote it.
ALTER TABLE security_group_rules ADD COLUMN normalized_cidr TEXT;
UPDATE security_group_rules SET normalized_cidr = remote_ip_prefix;
