-- What a project uses is summed at each create: from the index alone, which for that has to have every column that is asked for.
DROP INDEX servers_quota;
CREATE INDEX servers_quota ON servers (project_id, deleted_at, vcpus, memory_mb);
