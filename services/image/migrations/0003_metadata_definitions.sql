-- Definitions of metadata: what a property means, for clients that offer a choice. `body` is the definition itself as JSON;
-- `kind` is object, property or tag.
CREATE TABLE metadef_namespaces (
    namespace TEXT PRIMARY KEY,
    display_name TEXT,
    description TEXT,
    visibility TEXT NOT NULL,
    protected BIGINT NOT NULL,
    owner TEXT NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX metadef_namespaces_created ON metadef_namespaces (created_at, namespace);

CREATE TABLE metadef_items (
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (namespace, kind, name)
);

CREATE TABLE metadef_resource_types (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT,
    properties_target TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (namespace, name)
);

-- Stock namespaces that were put here once. One that the operator removed does not come back.
CREATE TABLE metadef_stock (
    namespace TEXT PRIMARY KEY
);
