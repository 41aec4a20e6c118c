"""Files that appear whole or not at all, and names of cached ones. The index has a door of its own, `indexer.io`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY_VERSION = 1
"""Of `cache_key`: another one makes every cached file anew."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what was written takes its place in one step once the block is left.

    Its ending is that of `path`, since some writers choose their format by it. If the block fails, or the process is
    killed, what was at `path` is still there; those who write the same file do not write into each other's.

    Args:
        path: The file; its folder is there.
    """
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Puts UTF-8 text at `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_key(**parts: Any) -> str:
    """The name of what was computed from these parts: equal for equal values, in any order and any process.

    Args:
        parts: Numbers, texts, None, paths, bytes, dataclasses, and lists, tuples and mappings of them.

    Returns:
        16 hex digits.

    Raises:
        TypeError: A part is of another type, whose text might differ between two runs.
    """
    text = json.dumps([KEY_VERSION, _plain(parts)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case bytes():
            return value.hex()
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    raise TypeError(f"part of a cache key: found {type(value).__name__}, expected plain values or dataclasses of them")
