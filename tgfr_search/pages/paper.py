"""Pages on paper: templates of Typst, whose compiler and fonts come with the package `typst` (extra `report`).

What a template prints arrives as JSON and is text there, never markup. The date is the caller's, and no font of this
machine is used as long as those that come along have all characters: the same values give the same bytes. The result
is PDF/A-2 with tags and embedded fonts, so that it can be kept and read aloud.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from tgfr_search.installed import explain_import
from tgfr_search.outputs import MARK
from tgfr_search.pages.catalogue import Words, texts
from tgfr_search.visible import visible

STANDARD: Final = "a-2a"
NO_GLYPH = "could not be displayed"
"""In the compiler's message where no font has a character: PDF/A forbids an empty box in its place."""
DRAWN = ((0x20, 0x17F), (0x386, 0x3CE), (0x400, 0x45F), (0x2010, 0x201E), (0x2026, 0x2026), (0x2212, 0x2212))
"""Ranges of code points: Latin, Greek, Cyrillic, dashes, quotation marks, ellipsis, minus."""


def check_printer() -> None:
    """Sees that there is a compiler.

    Raises:
        MissingPartError: The extra `report` is not installed.
    """
    try:
        import typst  # noqa: F401 - 84 MB, for those who print
    except ImportError as error:
        raise explain_import(error) from error


def printed(template: str, values: dict[str, Any], *, language: str, made: datetime) -> bytes:
    """A PDF.

    Args:
        template: File in `tgfr_search/pages/templates`; it reads `sys.inputs.given`.
        values: What it prints, plain values.
        language: One of `catalogue.LANGUAGES`; its texts are handed to the template as `words`.
        made: Stands in the file as the time when it was made.

    Raises:
        MissingPartError: The extra `report` is not installed.
    """
    check_printer()
    import typst

    words = Words(language)
    given = {
        "words": {name: words(name) for name in texts()},
        "language": words.language,
        "mark": MARK,
        "made": [made.year, made.month, made.day, made.hour, made.minute, made.second],
    }
    source = (files("tgfr_search.pages") / "templates" / template).read_bytes()

    def attempt(own_fonts: bool, shown: Callable[[str], str]) -> bytes:
        told = json.dumps({**given, "values": _each_text(values, shown)})
        data = typst.compile(
            source, sys_inputs={"given": told}, ignore_system_fonts=own_fonts, pdf_standards=[STANDARD], format="pdf"
        )
        assert isinstance(data, bytes)
        return data

    attempts: list[tuple[bool, Callable[[str], str]]] = [(True, visible), (False, visible), (True, _drawable)]
    for own_fonts, shown in attempts[:-1]:
        try:
            return attempt(own_fonts, shown)
        except typst.TypstError as error:
            if NO_GLYPH not in str(error):
                raise
    return attempt(*attempts[-1])


def _each_text(value: Any, shown: Callable[[str], str]) -> Any:
    """`value` with every text in it, at any depth, on one line and harmless; pictures that we drew as they are."""
    if isinstance(value, dict):
        return {str(name): _each_text(each, shown) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(each, shown) for each in value]
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _drawable(text: str) -> str:
    """`text` with every character as its escape that the fonts that come along may not have."""
    return "".join(
        char if _has(char) else visible(char) if not char.isprintable() else ascii(char)[1:-1] for char in text
    )


def _has(char: str) -> bool:
    """Whether Libertinus and DejaVu draw it: what European scripts and their punctuation need."""
    return char.isprintable() and any(low <= ord(char) <= high for low, high in DRAWN)
