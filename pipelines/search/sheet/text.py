"""Text on pictures: a font that has its characters, or their code points; broken at words, cut in the middle."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from PIL import ImageFont, features

from tgfr_search.visible import visible

WIDE_FONTS = (
    "NotoSansCJK", "SourceHanSans", "NotoSansSC", "NotoSansJP", "NotoSansKR", "wqy-", "DroidSansFallback", "ipag",
    "TakaoPGothic", "msyh", "msgothic", "malgun", "PingFang", "Hiragino", "Arial Unicode", "ARIALUNI", "unifont",
)  # fmt: skip
"""How files of fonts with Chinese, Japanese or Korean characters begin, on Linux, Windows and macOS."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def drawable(text: str, size: int = 13) -> tuple[str, Font]:
    """Text as it can be drawn on one line, and the font that has its characters.

    Where no font has one, or it would be drawn in the wrong order, its code point stands for it: never an empty box.
    """
    text = visible(text)
    for path in _fonts():
        if all(_has(path, char) for char in text):
            return text, _load(path, size)
    first = _fonts()[0]
    shown = (char if _has(first, char) else char.encode("unicode_escape").decode("ascii") for char in text)
    return "".join(shown), _load(first, size)


def fit(text: str, font: Font, width: float) -> str:
    """The text, with an ellipsis in its middle where it is wider than `width` pixels: names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 1:
        kept -= 1
        tail = kept // 2
        short = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
        if font.getlength(short) <= width:
            return short
    return "…"


def wrap(text: str, font: Font, width: float, lines: int) -> list[str]:
    """The text in at most so many lines, broken between words (within one only where it is wider than a line)."""
    out: list[str] = []
    rest = text.strip()
    while rest:
        if len(out) == lines - 1 and font.getlength(rest) > width:
            end = _longest(f"{rest} ", font, width - font.getlength("…"))
            return [*out, f"{rest[:end].rstrip()}…"]
        end = _longest(rest, font, width)
        out.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return out


def _longest(text: str, font: Font, width: float) -> int:
    if font.getlength(text) <= width:
        return len(text)
    low, high = 1, len(text)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle)
    at = text.rfind(" ", 0, low + 1)
    return at if at > 0 else low


@cache
def _fonts() -> tuple[str, ...]:
    """Matplotlib's own DejaVu Sans, then what the system has for the east of Asia."""
    from matplotlib import font_manager, get_data_path

    own = str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
    system = sorted(font_manager.findSystemFonts())
    wide = [path for name in WIDE_FONTS for path in system if Path(path).name.startswith(name)]
    return (own, *wide[:4])


@cache
def _characters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(path).get_charmap())


def _has(path: str, char: str) -> bool:
    if unicodedata.bidirectional(char) in ("R", "AL") and not features.check("raqm"):
        return False  # without it Arabic is drawn unjoined and Hebrew backwards
    return ord(char) in _characters(path)


@cache
def _load(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
