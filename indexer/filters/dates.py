"""Dates that a filter has in quotes."""

from __future__ import annotations

import re
from datetime import datetime

from indexer.filters.conditions import Literal
from indexer.filters.parse import parse_date

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?")


def quoted_date(value: Literal) -> datetime | None:
    """The date that a text literal is; None where it is none, or no text."""
    if not (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return None
    try:
        return parse_date(value.upper())
    except (ValueError, OverflowError):
        return None
