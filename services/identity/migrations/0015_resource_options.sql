-- Options of projects and of domains, as roles and users have them.

ALTER TABLE projects ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE domains ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
