"""A store of templates: Parquet is the truth, search structures are caches. No torch, no model.

`Store` is the whole of it: create, open, write, search. `verify` checks every byte of an index.
`compact`, `purge` and `repair` keep one in order;
`snapshot`, `restore`, `export_index` and `import_index` copy one.
"""

from indexer.checks import UNIT_TOLERANCE
from indexer.contract import Block, Contract
from indexer.copies import CopyReport, ExportReport, export_index, import_index, restore, snapshot
from indexer.errors import (
    BadRowError,
    BadVectorError,
    ContractMismatchError,
    DamagedIndexError,
    DiskFullError,
    FilterError,
    FormatVersionError,
    GoneGenerationError,
    HeldError,
    IncompleteSpaceError,
    IndexerError,
    IndexExistsError,
    IndexLockedError,
    LowRecallError,
    MissingDeviceError,
    MissingFaissError,
    NotAnIndexError,
    StaleReaderError,
    StorageError,
    UnknownRowError,
)
from indexer.faces import EnrolledFace
from indexer.rows import QuarantineRecord, Row, RowBatch, SubjectHit
from indexer.store import Store
from indexer.upkeep import CompactReport, PurgeReport, RepairReport, compact, purge, repair
from indexer.verify import VerifyReport, verify
from indexer.writer import Writer

__all__ = [
    "UNIT_TOLERANCE",
    "BadRowError",
    "BadVectorError",
    "Block",
    "CompactReport",
    "Contract",
    "ContractMismatchError",
    "CopyReport",
    "DamagedIndexError",
    "DiskFullError",
    "EnrolledFace",
    "ExportReport",
    "FilterError",
    "FormatVersionError",
    "GoneGenerationError",
    "HeldError",
    "IncompleteSpaceError",
    "IndexExistsError",
    "IndexLockedError",
    "IndexerError",
    "LowRecallError",
    "MissingDeviceError",
    "MissingFaissError",
    "NotAnIndexError",
    "PurgeReport",
    "QuarantineRecord",
    "RepairReport",
    "Row",
    "RowBatch",
    "StaleReaderError",
    "StorageError",
    "Store",
    "SubjectHit",
    "UnknownRowError",
    "VerifyReport",
    "Writer",
    "compact",
    "export_index",
    "import_index",
    "purge",
    "repair",
    "restore",
    "snapshot",
    "verify",
]
