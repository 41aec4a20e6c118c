CREATE TABLE drafts (
    case_id TEXT NOT NULL,
    search TEXT NOT NULL,
    account TEXT NOT NULL,
    label TEXT NOT NULL,
    sealed BLOB NOT NULL,
    saved REAL NOT NULL,
    PRIMARY KEY (case_id, search, account)
) STRICT
