"""Explanations on the HTML sheet: a heat map over the probe's face, coloured words, and the terms as bars."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from pipelines.search.explain.explained import Explained, Explanation
from pipelines.search.explain.picture import LOWERED, RAISED, heat_map, named_terms, strongest
from tgfr_search.types import ByteArray

FACE = 220


def explained_view(explained: Explained, crops: Sequence[bytes | None]) -> dict[str, Any]:
    """What `explained.html` prints of the first candidates.

    Args:
        explained: What to draw.
        crops: The candidates' faces as JPEG, or None.
    """
    region, word = strongest(explained)
    scales = [f"face: strongest region ±{region:.2f}"] if explained.chip is not None else []
    scales += [f"words: strongest ±{word:.2f}"] if explained.lines else []
    return {
        "notice": explained.notice,
        "scales": " · ".join(scales),
        "probe": None if explained.chip is None else _jpeg(explained.chip),
        "cards": [
            _card(explained, own, crop, region, word) for own, crop in zip(explained.candidates, crops, strict=False)
        ],
    }


def _card(explained: Explained, own: Explanation, crop: bytes | None, region: float, word: float) -> dict[str, Any]:
    seen = explained.chip is not None and own.regions is not None
    return {
        "rank": own.rank,
        "subject_id": own.subject_id,
        "score": own.score,
        "crop": crop,
        "heat": _png(heat_map(own.regions, region, FACE)) if seen and own.regions is not None else None,
        "terms": _terms(own),
        "lines": [_parts(line, at, own, word) for at, line in enumerate(explained.lines)],
        "phrases": sorted(own.phrases, key=lambda said: -abs(said.effect)),
    }


def _terms(own: Explanation) -> list[dict[str, Any]]:
    """Bars from the middle of the track, in percent of its width."""
    rows = named_terms(own)
    most = max((abs(value) for _, value in rows), default=1.0) or 1.0
    return [
        {
            "name": name,
            "value": value,
            "width": 50 * abs(value) / most,
            "left": 50 if value >= 0 else 50 - 50 * abs(value) / most,
            "colour": _css(value, 1.0),
        }
        for name, value in rows
    ]


def _parts(line: str, at: int, own: Explanation, scale: float) -> list[dict[str, Any]]:
    """A line in pieces: words with their effect and colour, and what stands between them."""
    parts, end = list[dict[str, Any]](), 0
    for said in own.words:
        if said.line != at:
            continue
        strength = min(1.0, abs(said.effect) / scale) if scale else 0.0
        parts.append({"text": line[end : said.start], "colour": ""})
        parts.append(
            {
                "text": said.text,
                "colour": _css(said.effect, 0.65 * strength),
                "effect": said.effect,
                "number": strength >= 0.1,
            }
        )
        end = said.end
    return [*parts, {"text": line[end:], "colour": ""}]


def _css(value: float, alpha: float) -> str:
    red, green, blue = RAISED if value >= 0 else LOWERED
    return f"rgba({red},{green},{blue},{alpha:.2f})"


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _jpeg(chip: ByteArray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(chip).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
