-- 1: the user is disabled because nobody logged in for as long as the operator's rule allows, not by an administrator;
-- enabled again when the rule does not say so any more.
ALTER TABLE users ADD COLUMN closed_for_inactivity BIGINT NOT NULL DEFAULT 0;
