-- Data that no image needs any more and that is still to be removed, by name, written down with the change that gave it up:
-- in a store (`store ID`), in `staging`, or of a copy that is `near`. What lies there and is neither here nor an image's is
-- kept: it may belong to images that these tables do not know of, as after they were put back to an earlier state.
CREATE TABLE image_released (
    place       TEXT NOT NULL,
    name        TEXT NOT NULL,
    released_at BIGINT NOT NULL,
    PRIMARY KEY (place, name)
);
