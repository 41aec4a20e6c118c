"""What a query may ask for and what every answer must say; apart from `types`, so that `--help` need not load NumPy."""

from __future__ import annotations

from typing import Literal, get_args

QueryMode = Literal["auto", "fused", "image", "caption"]
QUERY_MODES: tuple[str, ...] = get_args(QueryMode)

LEAD_NOTICE = (
    "Scores rank candidates; they are not probabilities. Output is an investigative lead, never an identification."
)
