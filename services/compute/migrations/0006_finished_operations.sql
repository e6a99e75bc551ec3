-- What was done to servers long ago is forgotten.
CREATE INDEX server_operations_over ON server_operations (finished_at) WHERE finished_at IS NOT NULL;
