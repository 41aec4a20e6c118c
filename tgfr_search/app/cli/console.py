"""What the command line prints: tables on a terminal, plain lines otherwise, JSON on request.

All of it leaves by `console_streams`, which escapes data: a name is never markup, control or layout.
"""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tgfr_search.app.cli import console_streams
from tgfr_search.app.cli.console_progress import progress, stages
from tgfr_search.app.cli.console_streams import say, shown, write
from tgfr_search.visible import visible

__all__ = ["emit", "error", "pairs", "progress", "say", "stages", "table", "tell_log"]

NARROW = 12
"""A column that can be folded keeps at least this width, or its longest value's where that is less."""
GAP = 3
"""Between two columns."""
_answered: list[bool] = []
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")


def begin() -> None:
    """A command begins: this process may have answered an earlier one, this one not."""
    _answered.clear()


def emit(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], as_json: bool, show: Callable[[], None]) -> None:
    """Prints a result: as one JSON value on standard output, or with `show` for people."""
    if as_json:
        write(_json(value, indent=2))
        _answered.append(True)
    else:
        show()


def error(message: str, as_json: bool) -> None:
    """Prints an error; with `--json` also as an object, so that a program need not read prose.

    Where the answer has been printed already, standard output stays the one object that it is.
    """
    if as_json and not _answered:
        write(_json({"error": message}))
    console_streams.error(message)


def _json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], indent: int | None = None) -> str:
    """Valid JSON in the stream's characters; whatever a terminal would act on is an escape inside a string."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=not unicode, indent=indent, default=str)
    return _BEYOND_ASCII.sub(lambda found: _json_character(found[0]), text)


def _json_character(char: str) -> str:
    return json.dumps(char)[1:-1] if visible(char) != char else char


def tell_log(name: str) -> None:
    """Shows what a package logs for a person, on standard error."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(_Said())
        logger.setLevel(logging.INFO)


class _Said(logging.Handler):
    """Prints log records by the same door as everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record), err=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, key: int = 1) -> None:
    """A table: drawn on a terminal, tab-separated lines otherwise. No value is ever cut.

    Args:
        title: Above the table, on a terminal only.
        columns: Heads.
        rows: Values, as many as heads; what is no text is told in words, as `pairs` tells it.
        key: The first `key` columns are never folded on a terminal that is at least as wide as they are.
    """
    cells = [[shown(_words(value)) for value in row] for row in rows]
    heads = [shown(name) for name in columns]
    if not sys.stdout.isatty():
        for row in (heads, *cells):
            write("\t".join(row))
        return
    width = shutil.get_terminal_size().columns
    least = [_least(heads[at], [row[at] for row in cells], at < key) for at in range(len(heads))]
    write(shown(title))
    if sum(least) + GAP * (len(least) - 1) <= width:
        write(_drawn(heads, cells, least, width, key))
    else:
        for row in cells:
            _record(heads, row, key)


def _least(head: str, values: list[str], whole: bool) -> int:
    from rich.cells import cell_len

    widest = max((cell_len(text) for text in (head, *values)), default=0)
    return widest if whole else min(widest, max(NARROW, cell_len(head)))


def _drawn(heads: list[str], cells: list[list[str]], least: list[int], width: int, key: int) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for at, head in enumerate(heads):
        drawn.add_column(Text(head), min_width=least[at], no_wrap=at < key, overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))  # Text: never read as markup
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="\n")
    Console(file=buffer, width=width, color_system=None, force_terminal=False).print(drawn, end="")
    buffer.seek(0)
    return "\n".join(line.rstrip() for line in buffer.read().splitlines())


def _record(heads: list[str], row: list[str], key: int) -> None:
    """A row where the columns do not fit: what identifies it on one line, the rest below."""
    named = [(head, value) for head, value in zip(heads, row, strict=True) if value]
    first = named[: max(1, key)]
    write("  ".join(f"{head} {value}".strip() for head, value in first))
    for head, value in named[len(first) :]:
        write(f"  {head}: {value}")


def pairs(values: Mapping[str, Any], indent: str = "") -> None:
    """Name and value, one a line; nested mappings and lists of them indented."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            say(f"{indent}{name}:")
            pairs(value, indent + "  ")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            say(f"{indent}{name}:")
            for item in value:
                say(f"{indent}  {_words(item)}")
        else:
            say(f"{indent}{name:<{width}}  {_words(value)}")


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_words(item) for item in value) or "none"
    if value is None:
        return "–"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
