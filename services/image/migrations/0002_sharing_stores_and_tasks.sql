-- Content-addressed data. `blob` is the sha512 of the data that the image has or is about to have, `holds` the stores
-- where that blob must be kept for this image's sake, and `stores` those of them where it surely is. `reserved` counts the
-- bytes of an upload under way, `staged` those that wait for their import; both count against the owner's quota.
ALTER TABLE images ADD COLUMN blob TEXT;
ALTER TABLE images ADD COLUMN holds TEXT NOT NULL DEFAULT '[]';
ALTER TABLE images ADD COLUMN stores TEXT NOT NULL DEFAULT '[]';
ALTER TABLE images ADD COLUMN staged BIGINT;
ALTER TABLE images ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN importing TEXT;
ALTER TABLE images ADD COLUMN failed_import TEXT;
CREATE INDEX images_blob ON images (blob);

-- A project with which a shared image is shared.
CREATE TABLE image_members (
    image_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (image_id, member_id)
);
CREATE INDEX image_members_member ON image_members (member_id, image_id);

-- Work on an image that goes on after the request: imports, copies, added locations.
CREATE TABLE image_tasks (
    id TEXT PRIMARY KEY,
    image_id TEXT,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    user_id TEXT,
    request_id TEXT NOT NULL,
    input TEXT NOT NULL,
    result TEXT,
    message TEXT NOT NULL,
    expires_at BIGINT,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX image_tasks_created ON image_tasks (created_at, id);
CREATE INDEX image_tasks_image ON image_tasks (image_id, created_at);
CREATE INDEX image_tasks_status ON image_tasks (status);
