r"""Text that came from somebody, made safe to show: nothing in it moves a cursor, colours, turns or breaks a line.

What cannot be seen is shown as its escape (`\x1b`, `\u202e`), so that nothing is lost and two names that differ look
different.
"""

from __future__ import annotations

import html
import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories without a picture of their own: controls, formats (bidirectional marks among them), surrogates of
file names that are not UTF-8, unassigned code points, line and paragraph separators."""

BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Code points that count as letters or symbols and draw nothing."""

JOINERS = frozenset("\u200c\u200d")
"""Zero-width (non-)joiners: Persian, the scripts of India and emoji need them between two characters of their own."""


def visible(text: str) -> str:
    """`text` on one line, with everything that draws nothing, or would act, as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _hidden(text, at) else char for at, char in enumerate(text))


def escaped(text: str) -> str:
    """`text` as HTML that is text only, in an element or in a quoted attribute."""
    return html.escape(visible(text), quote=True)


def encodable(text: str, encoding: str | None) -> str:
    """`text` with characters that an output cannot write as escapes, before widths are computed from it."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name, "replace")


def says_something(text: str) -> bool:
    """Whether there is a letter or a digit that can be seen: what a description needs at least."""
    return any(unicodedata.category(char)[0] in "LN" and char not in BLANK_LETTERS for char in text)


def cut_middle(text: str, at_most: int) -> str:
    """`text` in `at_most` characters: what is left out is in the middle, since names differ at their ends."""
    if len(text) <= at_most:
        return text
    tail = (at_most - 1) // 2
    return f"{text[: at_most - 1 - tail]}…{text[len(text) - tail :]}"


def cut_words(text: str, at_most: int) -> str:
    """`text` in `at_most` characters, ended between two words with an ellipsis."""
    if len(text) <= at_most:
        return text
    head = text[:at_most]
    whole = head.rsplit(" ", 1)[0] if " " in head else head[:-1]
    return f"{whole.rstrip(' ,;:.')}…"


def _hidden(text: str, at: int) -> bool:
    char = text[at]
    if char in JOINERS:
        around = text[at - 1 : at] + text[at + 1 : at + 2] if at else ""
        return len(around) < 2 or any(other.isascii() or other in JOINERS for other in around)
    return unicodedata.category(char) in HIDDEN or char in BLANK_LETTERS


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
