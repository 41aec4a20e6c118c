"""A store of templates: Parquet is the truth, search structures are caches. No torch, no model.

`Store` is the whole of it: create, open, write, search. `verify` checks every byte of an index.
"""

from indexer.contract import Block, Contract
from indexer.errors import (
    BadRowError,
    BadVectorError,
    ContractMismatchError,
    DamagedIndexError,
    DiskFullError,
    FormatVersionError,
    IndexerError,
    IndexExistsError,
    IndexLockedError,
    MissingFaissError,
    NotAnIndexError,
    StorageError,
    UnknownRowError,
)
from indexer.rows import UNIT_TOLERANCE, QuarantineRecord, Row, RowBatch, SubjectHit
from indexer.store import Store
from indexer.verify import VerifyReport, verify
from indexer.writer import Writer

__all__ = [
    "UNIT_TOLERANCE",
    "BadRowError",
    "BadVectorError",
    "Block",
    "Contract",
    "ContractMismatchError",
    "DamagedIndexError",
    "DiskFullError",
    "FormatVersionError",
    "IndexExistsError",
    "IndexLockedError",
    "IndexerError",
    "MissingFaissError",
    "NotAnIndexError",
    "QuarantineRecord",
    "Row",
    "RowBatch",
    "StorageError",
    "Store",
    "SubjectHit",
    "UnknownRowError",
    "VerifyReport",
    "Writer",
    "verify",
]
