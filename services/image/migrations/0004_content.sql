-- A column is not named after a type: on PostgreSQL that word is exchanged for another one.
ALTER TABLE images RENAME COLUMN blob TO content;
