-- Labels: where a tenant said that the data is to be found, each with its metadata and the store that has what was fetched
-- from there; nothing is ever read by them again. `said` is what is shown in place of the hashes that were found out.
ALTER TABLE images ADD COLUMN locations TEXT NOT NULL DEFAULT '[]';
ALTER TABLE images ADD COLUMN said TEXT;
