-- What the rules for passwords and logins need to know. Null: not known, from before these columns were there.

ALTER TABLE users ADD COLUMN created_at BIGINT;
-- The day of the last login, to the second; kept only where inactive users are disabled.
ALTER TABLE users ADD COLUMN last_active_at BIGINT;
ALTER TABLE users ADD COLUMN failed_logins BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN last_failed_at BIGINT;
ALTER TABLE users ADD COLUMN password_created_at BIGINT;
ALTER TABLE users ADD COLUMN password_expires_at BIGINT;
-- 1: the user chose it, 0: an administrator gave it.
ALTER TABLE users ADD COLUMN password_is_own BIGINT NOT NULL DEFAULT 0;

-- Passwords that were replaced, so that they are not taken again; the present one is with its user.
CREATE TABLE former_passwords (
    user_id     TEXT NOT NULL REFERENCES users (id),
    replaced_at BIGINT NOT NULL,
    hash        TEXT NOT NULL,
    PRIMARY KEY (user_id, replaced_at)
);

-- One-time passcodes that were used, until their time is over.
CREATE TABLE used_passcodes (
    user_id  TEXT NOT NULL REFERENCES users (id),
    step     BIGINT NOT NULL,
    passcode TEXT NOT NULL,
    PRIMARY KEY (user_id, step, passcode)
);
