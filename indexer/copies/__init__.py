"""Whole copies of an index: snapshots that are indexes themselves, and exports that any program can read."""

from indexer.copies.export import ExportReport, export_index, import_index
from indexer.copies.snapshot import CopyReport, restore, snapshot

__all__ = ["CopyReport", "ExportReport", "export_index", "import_index", "restore", "snapshot"]
