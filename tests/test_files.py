"""Files that appear whole or not at all; names of cached files."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tgfr_search.data.degrade import LADDER
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.files import cache_key, replace_text, replacing

ROOT = Path(__file__).resolve().parents[1]


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    replace_text(path, "whole")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_keeps_the_ending_that_writers_choose_their_format_by(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.npz") as temporary:
        np.savez(temporary, one=np.arange(3))
    with np.load(tmp_path / "a.npz") as file:
        assert file["one"].tolist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_key_is_that_of_the_values_whatever_their_order() -> None:
    finder = FaceFinder()
    key = cache_key(finder=finder, level=LADDER["bad"], seed=1, data=b"\0", path=Path("a"), none=None)
    assert key == cache_key(none=None, path=Path("a"), data=b"\0", seed=1, level=LADDER["bad"], finder=FaceFinder())
    assert len(key) == 16
    other = FaceFinder(replace(FaceOptions(), max_bytes=7))
    keys = {
        key,
        cache_key(finder=other, level=LADDER["bad"], seed=1, data=b"\0", path=Path("a"), none=None),
        cache_key(finder=finder, level=LADDER["poor"], seed=1, data=b"\0", path=Path("a"), none=None),
        cache_key(finder=finder, level=LADDER["bad"], seed=True, data=b"\0", path=Path("a"), none=""),
        cache_key(finder=finder, level=LADDER["bad"], seed="1", data=b"\0", path=Path("a"), none=None),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("part", [object(), {1, 2}, lambda: 0, float("nan"), FaceOptions])
def test_a_key_refuses_what_may_read_differently_in_another_process(part: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        cache_key(part=part)


def test_nobody_else_puts_a_temporary_file_in_place() -> None:
    """One helper for all but the index: a second way would one day forget the half-written file."""
    # Shards lie on a shared file system: they are synced, and left-overs are cleared by their ending.
    own = {"tgfr_search/files.py", "pipelines/enrol/ray/shards.py"}
    for package in ("tgfr_search", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if name in own:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("rename", "replace"):
                    assert "temporary" not in ast.unparse(node.value), f"{name}:{node.lineno}"
