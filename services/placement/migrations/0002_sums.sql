-- What is used of a provider is summed for each search for room: from the index alone.
DROP INDEX placement_allocations_provider;
CREATE INDEX placement_allocations_used ON placement_allocations (provider_id, resource_class, used);
