"""What may go into an index: texts that can be stored, JSON values, unit vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import BadRowError, BadVectorError

UNIT_TOLERANCE = 1e-4
"""How far from 1 the norm of a block may be. The model normalises once; the index rejects others and never rescales."""


def check_unit(name: str, block: npt.NDArray[np.float32], rows: Sequence[object]) -> None:
    """Refuse a block in which a row is neither a unit vector nor all zero.

    Args:
        name: The block's name.
        block: float32 [N, D].
        rows: How to name each of the N rows.

    Raises:
        BadVectorError: Names the block and the first such row.
    """
    if block.dtype != np.float32 or block.ndim != 2:
        raise BadVectorError(f"block {name!r}", found=f"{block.dtype} {block.shape}", expected="float32 [N, D]")
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(block, axis=1)
    good = np.abs(norms - 1.0) <= UNIT_TOLERANCE  # false for NaN
    good |= ~block.any(axis=1)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        finite = np.isfinite(block[row]).all()
        raise BadVectorError(
            f"block {name!r}, row {row} ({rows[row]})",
            found=f"norm {norms[row]:.6f}" if finite else "NaN or Inf",
            expected=f"a unit vector (norm 1 ± {UNIT_TOLERANCE:g}), or zeros where the block is absent",
            do="let the model normalise each block once before it is stored",
        )


def check_text(what: str, text: str, *, may_be_empty: bool = False) -> None:
    """Refuse what is not text, is empty, or cannot be stored as UTF-8.

    Raises:
        BadRowError: Says which.
    """
    if not isinstance(text, str) or not (text or may_be_empty):
        raise BadRowError(what, found=repr(text), expected="text" if may_be_empty else "text that is not empty")
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as Python reads a file name that is not UTF-8
        raise BadRowError(what, found=repr(text), expected="text that can be stored as UTF-8") from None


def to_json(what: str, values: Mapping[str, Any]) -> str:
    """One row's mapping as JSON text.

    Raises:
        BadRowError: A value is not a JSON value (NaN is not one).
    """
    try:
        return json.dumps(dict(values), allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise BadRowError(what, found=str(error), expected="a mapping of JSON values") from None
