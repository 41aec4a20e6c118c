CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
) STRICT;
CREATE TABLE sessions (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created REAL NOT NULL,
    used REAL NOT NULL
) STRICT;
CREATE TABLE tokens (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    created REAL NOT NULL,
    expires REAL NOT NULL
) STRICT;
CREATE TABLE answers (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    process TEXT NOT NULL,
    created REAL NOT NULL,
    status INTEGER,
    media_type TEXT,
    headers TEXT,
    body BLOB,
    PRIMARY KEY (account, key)
) STRICT;
