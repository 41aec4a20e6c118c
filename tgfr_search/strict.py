"""TOML and plain values into dataclasses of options, strictly: an unknown key is an error that lists the known ones."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from tgfr_search.errors import OptionsError

T = TypeVar("T")

EXTENDS = "extends"
"""Key of a file that says only what differs from another one; that one's path counts from its own folder."""


def load_toml(path: Path, kind: type[T]) -> T:
    """Reads a TOML file, and what it extends, into a dataclass of options.

    Raises:
        OptionsError: A file is missing or not TOML, extends itself, a key is unknown, or a value has the wrong type.
    """
    return from_dict(_tree(path, ()), kind, f"{path}")


def _tree(path: Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    """The keys of a file over those of the file that it extends."""
    if path.resolve() in extended_by:
        raise OptionsError(f"{path}", found="a file that extends itself", expected="a base that ends somewhere")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        by = f" (which {extended_by[-1]} extends)" if extended_by else ""
        raise OptionsError(f"{path}{by}", found=error.strerror or "unreadable", expected="a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionsError(f"{path}", found=str(error), expected="valid TOML") from error
    if EXTENDS not in tree:
        return tree
    base = tree.pop(EXTENDS)
    if not isinstance(base, str):
        raise OptionsError(f"{path}: {EXTENDS}", found=repr(base), expected="the path of another TOML file, as text")
    return _over(_tree(path.parent / base, (*extended_by, path.resolve())), tree)


def _over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` over `base`: tables are merged key by key, everything else is replaced."""
    merged = dict(base)
    for name, value in own.items():
        before = merged.get(name)
        merged[name] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def from_dict(tree: dict[str, Any], kind: type[T], where: str) -> T:
    """Builds a dataclass of options from plain values, strictly.

    Args:
        tree: Plain values; a nested dataclass is a nested table.
        kind: The dataclass.
        where: Named in errors.

    Raises:
        OptionsError: An unknown key, a missing one, or a value of another type.
    """
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in tree:
        if key not in fields:
            raise OptionsError(f"{where}: unknown key {key!r}", expected=f"one of: {', '.join(fields)}")
    values: dict[str, Any] = {}
    for name, spec in fields.items():
        if name in tree:
            values[name] = _value(tree[name], hints[name], f"{where}: {name}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise OptionsError(f"{where}: missing key {name!r}", expected=f"{name} = <{hints[name].__name__}>")
    return kind(**values)


def _value(value: Any, hint: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise OptionsError(where, found=type(value).__name__, expected="a table")
        return from_dict(value, hint, where)
    origin = getattr(hint, "__origin__", None)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise OptionsError(where, found=type(value).__name__, expected="a list")
        return tuple(_value(item, hint.__args__[0], where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise OptionsError(where, found=f"{value!r} ({type(value).__name__})", expected=hint.__name__)
    return value


def to_dict(options: Any) -> dict[str, Any]:
    """Plain JSON values of a dataclass of options; `from_dict` reads them back."""
    tree: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(options)))
    return tree
