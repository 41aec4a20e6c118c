"""Metadata filters: text → typed conditions (`parse`) → an Arrow expression over the rows' columns (`select`)."""

from indexer.filters.parse import parse
from indexer.filters.select import select

__all__ = ["parse", "select"]
