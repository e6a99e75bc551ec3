-- Which database this is. One row, made with the tables: a copy of the database has the same id, another database has
-- another one. What the cloud keeps outside of its tables is told apart by it.
CREATE TABLE database_identity (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    uuid    TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
