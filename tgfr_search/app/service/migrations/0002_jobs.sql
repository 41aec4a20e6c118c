CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    gallery TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE job_photos (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    subject TEXT NOT NULL,
    captions TEXT NOT NULL,
    metadata TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, number)
) STRICT;
CREATE INDEX job_photos_by_name ON job_photos (job, name)
