"""Proofs from the Merkle tree of a log (RFC 9162, 2.1.3 and 2.1.4); what checks them is in `verify.py`."""

from __future__ import annotations

from collections.abc import Sequence

from tgfr_search.audit.verify import Tree, node_hash


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The hash of the tree with these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


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


def consistency_path(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The hashes that show that the tree begins with that of its first `size` leaves.

    Raises:
        IndexError: The tree has fewer.
    """
    if not 0 <= size <= len(leaves):
        raise IndexError(f"{size} leaves of {len(leaves)}")
    if size in (0, len(leaves)):
        return []
    # Walks the right edge of the smaller tree: its last complete subtree first, unless that is the whole of it.
    index, level = size - 1, list(leaves)
    while index & 1:
        index, level = index >> 1, _above(level)
    path = [level[index]] if index else []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index, level = index >> 1, _above(level)
    return path


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The next level; a node without a neighbour goes up as it is."""
    pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*pairs, *level[len(level) & ~1 :]]
