"""Proofs that an entry is in the Merkle tree of a log (RFC 9162, 2.1.3); what checks them is in `verify.py`."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.audit.verify import node_hash


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf number `index` to the root, nearest first.

    Raises:
        IndexError: There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    path: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index >>= 1
        level = _above(level)
    return path


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The next level; a node without a neighbour goes up as it is."""
    pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*pairs, *level[len(level) & ~1 :]]
