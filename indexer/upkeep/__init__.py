"""What keeps an index in order and changes no row that is there: compaction, purge and repair."""

from indexer.upkeep.compact import CompactReport, compact
from indexer.upkeep.purge import PurgeReport, purge, read_proof
from indexer.upkeep.repair import RepairReport, repair

__all__ = [
    "CompactReport",
    "PurgeReport",
    "RepairReport",
    "compact",
    "purge",
    "read_proof",
    "repair",
]
