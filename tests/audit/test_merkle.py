"""The tree against the vectors of RFC 6962 and against an implementation written down from the RFC's definition."""

from __future__ import annotations

import hashlib
import random

import pytest

from tgfr_search.audit.merkle import inclusion_path
from tgfr_search.audit.verify import Tree, check_inclusion, leaf_hash

# The leaves and roots that implementations of Certificate Transparency test themselves with.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def plain_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if len(entries) <= 1:
        return sha(b"\x00" + entries[0]) if entries else sha(b"")
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha(b"\x01" + plain_root(entries[:k]) + plain_root(entries[k:]))


def plain_path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH of 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = 1
    while 2 * k < len(entries):
        k *= 2
    if m < k:
        return [*plain_path(m, entries[:k]), plain_root(entries[k:])]
    return [*plain_path(m - k, entries[k:]), plain_root(entries[:k])]


def tree_root(leaves: list[bytes]) -> bytes:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def test_the_vectors() -> None:
    leaves = [leaf_hash(bytes.fromhex(each)) for each in LEAVES]
    tree = Tree()
    for size, root in enumerate(ROOTS, 1):
        tree.add(leaves[size - 1])
        assert tree.root().hex() == root
    assert Tree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    # PATH(0, D[8]) as the same vectors have it.
    assert [each.hex()[:8] for each in inclusion_path(leaves, 0)] == ["96a296d2", "5f083f0a", "6b47aaf2"]


def test_500_random_trees() -> None:
    chance = random.Random(0)
    for _ in range(500):
        entries = [chance.randbytes(chance.randint(0, 40)) for _ in range(chance.randint(1, 70))]
        leaves, root = [leaf_hash(each) for each in entries], plain_root(entries)
        size = len(entries)
        assert tree_root(leaves) == root
        index = chance.randrange(size)
        path = inclusion_path(leaves, index)
        assert path == plain_path(index, entries)
        assert check_inclusion(leaves[index], index, size, path, root)
        wrong = chance.randrange(size + 1)
        assert wrong == index or not check_inclusion(leaves[index], wrong, size, path, root)
        assert not check_inclusion(leaves[index], index, size, [*path, root], root)
        assert not path or not check_inclusion(leaves[index], index, size, path[:-1], root)


def test_all_sizes_up_to_33() -> None:
    entries = [bytes([at]) for at in range(33)]
    leaves = [leaf_hash(each) for each in entries]
    for size in range(1, 34):
        root = plain_root(entries[:size])
        for at in range(size):
            assert check_inclusion(leaves[at], at, size, inclusion_path(leaves[:size], at), root)


def test_what_is_not_in_the_tree_is_said() -> None:
    with pytest.raises(IndexError):
        inclusion_path([b"x" * 32], 1)
