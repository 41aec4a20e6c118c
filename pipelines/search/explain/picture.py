"""Explanations as pictures: the heat map over the probe's face, and what the PNG sheet shows."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pipelines.search.explain.explained import Explained, Explanation, share_text
from pipelines.search.sheet.text import Font, drawable, fit
from tgfr_search.model.blocks import TERMS
from tgfr_search.types import ByteArray, FloatArray

RAISED, LOWERED = (217, 95, 2), (29, 78, 216)
"""Orange and blue: told apart by people who do not see red and green as two."""

STRONGEST = 0.78
"""Opacity of the strongest effect."""


def heat_map(regions: Sequence[Sequence[float]], scale: float, side: int) -> Image.Image:
    """Effects as a transparent picture: orange where a region raised the score, blue where it lowered it.

    Args:
        regions: [G][G].
        scale: The effect that is drawn strongest.
        side: Of the picture, in pixels.

    Returns:
        RGBA [side, side].
    """
    grid = np.asarray(regions, np.float32) / (scale or 1.0)
    smooth = np.asarray(Image.fromarray(grid, "F").resize((side, side), Image.Resampling.BICUBIC))
    out = np.empty((side, side, 4), np.uint8)
    out[..., :3] = np.where(smooth[..., None] >= 0, RAISED, LOWERED)
    out[..., 3] = np.rint(255 * STRONGEST * np.clip(np.abs(smooth), 0, 1))
    return Image.fromarray(out, "RGBA")


def heated(chip: ByteArray, regions: Sequence[Sequence[float]], scale: float, side: int) -> Image.Image:
    """The probe's face, in grey so that skin is not taken for a colour, under its heat map: RGB [side, side]."""
    face = Image.fromarray(chip).convert("L").resize((side, side)).convert("RGBA")
    return Image.alpha_composite(face, heat_map(regions, scale, side)).convert("RGB")


def strongest(explained: Explained) -> tuple[float, float]:
    """The strongest region and the strongest word of all candidates: equal colours are equal effects."""
    grids: list[FloatArray] = [np.asarray(own.regions, np.float32) for own in explained.candidates if own.regions]
    words = [abs(said.effect) for own in explained.candidates for said in own.words]
    return max((float(np.abs(grid).max()) for grid in grids), default=0.0), max(words, default=0.0)


def named_terms(own: Explanation) -> list[tuple[str, float]]:
    """What each term is called and adds, the strongest first, the probe's own part, and typicality if there is any."""
    parts = [(TERMS[name].title, value) for name, value in own.terms.items()]
    parts += [(share_text(said), said.adds) for said in own.statements]
    return [
        *sorted(parts, key=lambda part: -abs(part[1])),
        ("the probe's own part, the same for all", own.offset),
        *((("how both stand to strangers", own.typicality),) if own.typicality else ()),
    ]


def explain_png(explained: Explained, crops: Sequence[bytes | None], width: int) -> Image.Image:
    """The same as a picture: one row a candidate, to be put below the sheet.

    Args:
        explained: What to draw.
        crops: The candidates' faces as JPEG, or None.
        width: Of the picture, in pixels.
    """
    font, side, margin = drawable(" ".join(explained.lines))[1], 150, 10
    region, word = strongest(explained)
    text_left = margin + 2 * (side + margin)
    lines = 3 + max((len(own.terms) + len(own.statements) for own in explained.candidates), default=0)
    said = max((_wrapped(explained, own, word, width - text_left, font)[1] for own in explained.candidates), default=0)
    height = max(side, 18 * lines + 20 * said) + 2 * margin
    page = Image.new("RGB", (width, 46 + height * len(explained.candidates)), "white")
    draw = ImageDraw.Draw(page)
    middle = len(explained.notice) // 2 + explained.notice[len(explained.notice) // 2 :].index(" ")
    for at, part in enumerate((explained.notice[:middle], explained.notice[middle:].strip())):
        draw.text((margin, 4 + 18 * at), part, "#b45309", font)
    for at, own in enumerate(explained.candidates):
        top = 46 + at * height
        draw.line((margin, top, width - margin, top), "#cccccc")
        if explained.chip is not None and own.regions is not None:
            page.paste(heated(explained.chip, own.regions, region, side), (margin, top + margin))
        crop = crops[at]
        if crop is not None:
            with Image.open(io.BytesIO(crop)) as picture:
                page.paste(picture.convert("RGB").resize((side, side)), (2 * margin + side, top + margin))
        y = top + margin
        named, own_font = drawable(f"{own.rank}. {own.subject_id}: score {own.score:.3f}")
        draw.text((text_left, y), fit(named, own_font, width - text_left - margin), "black", own_font)
        for name, value in named_terms(own):
            y += 18
            colour = RAISED if value >= 0 else LOWERED
            draw.text((text_left + 52, y), f"{value:+.3f}", colour, font, anchor="ra")
            draw.text((text_left + 62, y), name, colour, font)
        y += 24
        for x, row, text, fill in _wrapped(explained, own, word, width - text_left, font)[0]:
            box = draw.textbbox((text_left + x, y + 20 * row), text, font)
            draw.rectangle((box[0] - 1, box[1] - 2, box[2] + 1, box[3] + 2), fill)
            draw.text((text_left + x, y + 20 * row), text, "black", font)
    return page


def _wrapped(
    explained: Explained, own: Explanation, scale: float, width: int, font: Font
) -> tuple[list[tuple[int, int, str, tuple[int, int, int]]], int]:
    """The description's words with their places and colours, and how many rows they take."""
    out, x, row = [], 0, 0
    for at, line in enumerate(explained.lines):
        if at:
            x, row = 0, row + 1
        for said in [said for said in own.words if said.line == at]:
            after = line[said.end : said.end + 1].strip()
            text = drawable(said.text + (after if not after.isalnum() else ""))[0]
            size = int(font.getlength(text + " ")) + 2
            if x and x + size > width - 10:
                x, row = 0, row + 1
            strength = 0.65 * min(1.0, abs(said.effect) / scale) if scale else 0.0
            colour = np.array(RAISED if said.effect >= 0 else LOWERED)
            red, green, blue = np.rint(255 + strength * (colour - 255)).astype(int).tolist()
            out.append((x, row, text, (red, green, blue)))
            x += size
    return out, row + 1 if explained.lines else 0
