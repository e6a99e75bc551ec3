-- What the owner said the data is, while an import keeps it as something else; an import that fails gives it back.
ALTER TABLE images ADD COLUMN declared TEXT;
