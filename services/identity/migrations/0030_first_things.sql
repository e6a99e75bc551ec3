-- What the first start makes once, and nobody makes again when its owner has deleted it. A cloud that has users has had its own.
CREATE TABLE identity_first_things (name TEXT PRIMARY KEY);
INSERT INTO identity_first_things (name) SELECT 'demo' WHERE EXISTS (SELECT 1 FROM users);
