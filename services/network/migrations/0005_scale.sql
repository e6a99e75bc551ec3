-- A network may have tens of thousands of ports. What is asked for each new one is found without looking at the others.

-- The port of a network behind which guests find their metadata; each port's DHCP options name it.
-- The owner stands in the index, too, for a planner that knows no figures takes the index by which it can seek most.
CREATE INDEX ports_by_distributed ON ports (network_id, device_owner, id)
    WHERE device_owner = 'network:distributed';

-- The project of the network that the port is on, where that is another than the port's own: it sees the port, too. A list is
-- made of the two kinds of ports that one sees, each in the order of their ids.
ALTER TABLE ports ADD COLUMN network_owner TEXT;
UPDATE ports SET network_owner = (SELECT n.project_id FROM networks n WHERE n.id = ports.network_id);
UPDATE ports SET network_owner = NULL WHERE network_owner = project_id;
DROP INDEX ports_by_project;
CREATE INDEX ports_by_project ON ports (project_id, id);
CREATE INDEX ports_by_network_owner ON ports (network_owner, id) WHERE network_owner IS NOT NULL;
CREATE INDEX ports_by_network ON ports (network_id, id);

-- How many ports a project has, kept in several rows so that requests at once seldom meet: a row for the ports whose ids begin
-- with the same digit.
CREATE TABLE port_counts (
    project_id TEXT NOT NULL,
    digit      TEXT NOT NULL,
    ports      BIGINT NOT NULL,
    PRIMARY KEY (project_id, digit)
);
INSERT INTO port_counts (project_id, digit, ports)
    SELECT project_id, substr(id, 1, 1), count(*) FROM ports WHERE project_id <> '' GROUP BY project_id, substr(id, 1, 1);

-- Addresses that nobody holds any more in the tables, while OVN may still know them at their last holder: until the key that
-- holds them there has reached OVN.
CREATE TABLE leaving_addresses (
    subnet_id TEXT NOT NULL,
    place     TEXT NOT NULL,
    north_key TEXT NOT NULL,
    PRIMARY KEY (subnet_id, place, north_key)
);
CREATE INDEX leaving_addresses_by_key ON leaving_addresses (north_key);

-- What is pending is read in pages, in the order of the keys.
DROP INDEX north_keys_pending;
CREATE INDEX north_keys_ahead ON north_keys (id) WHERE synced_generation < generation;
CREATE INDEX north_keys_gone ON north_keys (gone_at) WHERE gone_at IS NOT NULL;
-- Each network has a group of its own that drops what nothing allows. Ports move there from the one of all networks, which
-- goes when it is empty.
UPDATE north_keys SET generation = generation + 1
    WHERE (id LIKE 'network/%' AND id IN (SELECT 'network/' || n.id FROM networks n))
    OR (id LIKE 'port/%' AND id IN (SELECT 'port/' || p.id FROM ports p))
    OR id = 'drop';
