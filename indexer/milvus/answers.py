"""What a Milvus server is asked for and gives back, as ids and rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.rows import IdArray, Row, split_key


def wanted_ids(ids: Sequence[int] | IdArray) -> list[int]:
    """Row ids as plain numbers, in their order."""
    return [int(row_id) for row_id in np.asarray(ids, np.int64).reshape(-1)]


def row_of(found: dict[str, Any]) -> Row:
    """A row of an answer, without its chip."""
    values = json.loads(found["row"])
    values["captions"] = tuple(values["captions"])
    if "caption_source" not in values:  # published from an index of before format 4
        values["source_key"], values["caption_source"] = split_key(values["source_key"])
    return Row(row_id=found["row_id"], subject_id=found["subject_id"], chip=None, **values)
