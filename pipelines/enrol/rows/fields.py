"""One typing rule for the metadata of an index, whatever way a value comes in: CSV, JSONL, Parquet or `update --set`.

A column has the one type of its values that are no texts; without any, or with several, it is text. A value of another
type that says the same in the column's own (the text 41 of a CSV in a column of numbers, the number 14 in a column of
text) is stored in that type. One that cannot be is refused by `update`, and enrolled as it is and told by `index`,
which loses nothing. Types do not depend on the order in which rows come: whoever stores many learns them all first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tgfr_search.errors import InputError
from tgfr_search.names import canonical, same_names

TEXT, NUMBER, BOOLEAN, OTHER = "text", "number", "boolean", "list or object"
_EXPECTED = {NUMBER: "a number", BOOLEAN: "true or false", OTHER: "a JSON list or object", TEXT: "a text"}


class Fields:
    """The types of the columns of an index.

    Args:
        rows: The metadata of its rows.

    Attributes:
        kinds: Column → its type.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.kinds: dict[str, str] = {}
        self._found: dict[str, set[str]] = {}
        for row in rows:
            self.learn(row)

    def learn(self, row: Mapping[str, Any]) -> None:
        """Take another row's types into account."""
        for name, value in row.items():
            if value is not None:
                found = self._found.setdefault(name, set())
                if (kind := _kind(value)) != TEXT:
                    found.add(kind)
                self.kinds[name] = next(iter(found)) if len(found) == 1 else TEXT

    def fitted(self, name: str, value: Any) -> Any:
        """A value in the type of its column.

        Raises:
            ValueError: It does not say the same in that type; its message is the type, for a person.
        """
        kind = self.kinds.get(name)
        if value is None or kind is None or _kind(value) == kind:
            return value
        if kind == TEXT:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):
            read = _json(value)
            if _kind(read) == kind and (kind != NUMBER or _same_number(value.strip(), read)):
                return read
        raise ValueError(_EXPECTED[kind])

    def enrolled(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """A row's metadata as it is stored, and the columns whose type it does not have."""
        stored, odd = dict[str, Any](), list[str]()
        for name, value in row.items():
            try:
                stored[name] = self.fitted(name, value)
            except ValueError as error:
                stored[name] = value
                odd.append(f"column {name!r} holds {error} in other rows, here {value!r:.60}")
        self.learn(stored)
        return stored, odd

    def assigned(self, text: str) -> tuple[str, Any]:
        """What `NAME=VALUE` of `update --set` stores: in a new column a JSON value as one, else text.

        Raises:
            InputError: It has another form, or the value another type than the column.
        """
        written, sign, value = text.partition("=")
        name = next(iter(same_names(written, self.kinds)), canonical(written))
        if not (name and sign):
            raise InputError("--set", found=repr(text), expected="NAME=VALUE", do="--set site=A --set age=41")
        read = _json(value)
        kind = self.kinds.get(name)
        if kind == TEXT and read is not None and not isinstance(read, str):
            return name, value  # as it is written: 1.50, not 1.5
        try:
            return name, self.fitted(name, read)
        except ValueError as error:
            raise InputError(
                f"--set {name}", found=repr(value), expected=f"{error}, as in the other rows of column {name!r}"
            ) from None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return BOOLEAN
    return NUMBER if isinstance(value, int | float) else TEXT if isinstance(value, str) else OTHER


def _same_number(text: str, read: float) -> bool:
    """Whether a number says what was written: 1.50 is 1.5, but 0.1000000000000000001 is not 0.1, nor 1e3 a name for it.

    007 is no JSON number in the first place.
    """
    return "e" not in text.lower() and Decimal(text) == Decimal(repr(read))


def _json(text: str) -> Any:
    """The JSON value that a text is, else the text; JSON has no NaN."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value
