"""Explanations drawn: a heat map over the probe's face, coloured words, and the terms as bars; HTML or PNG."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.explain import Explained, Explanation
from tgfr_search.types import ByteArray, FloatArray

RAISED, LOWERED = (217, 95, 2), (29, 78, 216)
"""Orange and blue: told apart by people who do not see red and green as two."""

FACE = 220
STRONGEST = 0.78
"""Opacity of the strongest effect."""

NAMES = {
    "face": "face (frozen encoder)",
    "adapted": "face (adapted encoder)",
    "shared_face": "face in the space shared with words",
    "caption": "description against the enrolled caption",
    "fused": "face and description, fused",
    "caption_to_face": "description against the enrolled face",
    "face_to_caption": "face against the enrolled caption",
}

STYLE = """
.why{border:1px solid #8884;border-radius:8px;padding:1rem;margin:1rem 0}
.why h3{margin:0 0 .6rem}
.pair{display:flex;gap:1rem;flex-wrap:wrap;align-items:flex-start}
.face{position:relative;width:220px;height:220px;border-radius:4px;overflow:hidden;flex:none}
.face img,.face .none{width:220px;height:220px;position:absolute;inset:0;border-radius:0}
.pair figure{border:0;padding:0;width:220px}
.terms{flex:1 1 20rem;border-collapse:collapse;font-size:13px}
.terms td{padding:.12rem .35rem;vertical-align:middle}
.terms td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}
.terms .track{width:9rem;height:.7rem;position:relative;background:#8882}
.terms .track i{position:absolute;top:0;bottom:0}
.terms tr.sum td{border-top:1px solid #8888;font-weight:600}
.said{font-size:1.1rem;line-height:2.1;margin:.8rem 0 .2rem}
.said mark{color:inherit;border-radius:4px;padding:.1rem .25rem}
.said sub{font-size:.62em;opacity:.8;margin-left:.15em}
.key{display:inline-block;width:9rem;height:.8rem;vertical-align:middle;border-radius:3px;
background:linear-gradient(90deg,rgb(29,78,216),#8882,rgb(217,95,2))}
"""


def explain_html(explained: Explained, crops: Sequence[bytes | None], missing: str) -> str:
    """The part of the page that explains the first candidates.

    Args:
        explained: What to draw.
        crops: The candidates' faces as JPEG, or None.
        missing: Said where there is no picture.
    """
    region, word = _scales(explained)
    key = '−<span class="key"></span>+'
    scales = " · ".join(
        text
        for text, shown in (
            (f"face: strongest region ±{region:.2f}", explained.chip is not None),
            (f"words: strongest ±{word:.2f}", bool(explained.lines)),
        )
        if shown
    )
    cards = "".join(
        _card(explained, own, crop, region, word, missing)
        for own, crop in zip(explained.candidates, crops, strict=False)
    )
    return (
        f'<h2>Why these scores</h2><p class="lead">{html.escape(explained.notice)}</p>'
        f"<p><small>Lowered the score {key} raised it. {scales}. Same colours for all candidates below.</small></p>"
        f"{cards}"
    )


def _card(explained: Explained, own: Explanation, crop: bytes | None, region: float, word: float, missing: str) -> str:
    probe = ""
    if explained.chip is not None and own.regions is not None:
        heat = _png_bytes(heat_map(own.regions, region, FACE))
        probe = (
            f'<figure><div class="face"><img alt="probe" src="{_uri(_jpeg_bytes(explained.chip), "jpeg")}">'
            f'<img alt="effect of each region" src="{_uri(heat, "png")}"></div>'
            "<figcaption>probe: what each region did</figcaption></figure>"
        )
    picture = f'<div class="none">{missing}</div>' if crop is None else f'<img alt="" src="{_uri(crop, "jpeg")}">'
    candidate = f'<figure><div class="face">{picture}</div><figcaption>candidate</figcaption></figure>'
    return (
        f'<section class="why"><h3>{own.rank}. {html.escape(own.subject_id)}: score {own.score:.3f}</h3>'
        f'<div class="pair">{probe}{candidate}{_terms(own)}</div>{_said(explained, own, word)}</section>'
    )


def _terms(own: Explanation) -> str:
    rows = [(NAMES.get(name, name), value) for name, value in own.terms.items()]
    rows.append(("the probe's own part, the same for all", own.offset))
    most = max((abs(value) for _, value in rows), default=1.0) or 1.0
    lines = []
    for name, value in rows:
        width, left = 50 * abs(value) / most, 50 if value >= 0 else 50 - 50 * abs(value) / most
        bar = f'<i style="left:{left:.1f}%;width:{width:.1f}%;background:{_css(value, 1.0)}"></i>'
        lines.append(
            f'<tr><td>{html.escape(name)}</td><td>{value:+.3f}</td><td><div class="track">{bar}</div></td></tr>'
        )
    lines.append(f'<tr class="sum"><td>score</td><td>{own.score:.3f}</td><td></td></tr>')
    return f'<table class="terms">{"".join(lines)}</table>'


def _said(explained: Explained, own: Explanation, scale: float) -> str:
    if not explained.lines:
        return ""
    out = []
    for at, line in enumerate(explained.lines):
        parts, end = [], 0
        for said in own.words:
            if said.line != at:
                continue
            parts.append(html.escape(line[end : said.start]))
            strength = min(1.0, abs(said.effect) / scale) if scale else 0.0
            number = f"<sub>{said.effect:+.2f}</sub>" if strength >= 0.1 else ""
            parts.append(
                f'<mark style="background:{_css(said.effect, 0.65 * strength)}" title="without it the score changes by '
                f'{-said.effect:+.3f}">{html.escape(said.text)}{number}</mark>'
            )
            end = said.end
        out.append("".join(parts) + html.escape(line[end:]))
    ranked = sorted(own.phrases, key=lambda said: -abs(said.effect))
    phrases = " · ".join(f"{html.escape(said.text)} {said.effect:+.2f}" for said in ranked)
    more = f"<small>Together: {phrases}</small>" if phrases else ""
    return f'<p class="said">{"<br>".join(out)}</p>{more}'


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
    """The probe's face under its heat map: RGB [side, side]."""
    face = Image.fromarray(chip).resize((side, side)).convert("RGBA")
    return Image.alpha_composite(face, heat_map(regions, scale, side)).convert("RGB")


def _scales(explained: Explained) -> tuple[float, float]:
    """The strongest region and the strongest word of all candidates: equal colours are equal effects."""
    grids: list[FloatArray] = [np.asarray(own.regions, np.float32) for own in explained.candidates if own.regions]
    words = [abs(said.effect) for own in explained.candidates for said in own.words]
    return max((float(np.abs(grid).max()) for grid in grids), default=0.0), max(words, default=0.0)


def _css(value: float, alpha: float) -> str:
    red, green, blue = RAISED if value >= 0 else LOWERED
    return f"rgba({red},{green},{blue},{alpha:.2f})"


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png_bytes(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _jpeg_bytes(chip: ByteArray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(chip).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def explain_png(explained: Explained, crops: Sequence[bytes | None], width: int) -> Image.Image:
    """The same as a picture: one row a candidate, to be put below the sheet.

    Args:
        explained: What to draw.
        crops: The candidates' faces as JPEG, or None.
        width: Of the picture, in pixels.
    """
    font, side, margin = ImageFont.load_default(13), 150, 10
    region, word = _scales(explained)
    text_left = margin + 2 * (side + margin)
    lines = 3 + max((len(own.terms) for own in explained.candidates), default=0)
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
        rows = [(NAMES.get(name, name), value) for name, value in own.terms.items()]
        rows.append(("the probe's own part, the same for all", own.offset))
        draw.text((text_left, y), f"{own.rank}. {own.subject_id[:40]}: score {own.score:.3f}", "black", font)
        for name, value in rows:
            y += 18
            draw.text((text_left, y), f"{value:+8.3f}  {name}", RAISED if value >= 0 else LOWERED, font)
        y += 24
        for x, row, text, fill in _wrapped(explained, own, word, width - text_left, font)[0]:
            box = draw.textbbox((text_left + x, y + 20 * row), text, font)
            draw.rectangle((box[0] - 1, box[1] - 2, box[2] + 1, box[3] + 2), fill)
            draw.text((text_left + x, y + 20 * row), text, "black", font)
    return page


def _wrapped(
    explained: Explained, own: Explanation, scale: float, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> tuple[list[tuple[int, int, str, tuple[int, int, int]]], int]:
    """The description's words with their places and colours, and how many rows they take."""
    out, x, row = [], 0, 0
    for at, line in enumerate(explained.lines):
        if at:
            x, row = 0, row + 1
        for said in [said for said in own.words if said.line == at]:
            after = line[said.end : said.end + 1].strip()
            text = said.text + (after if not after.isalnum() else "")
            size = int(font.getlength(text + " ")) + 2
            if x and x + size > width - 10:
                x, row = 0, row + 1
            strength = 0.65 * min(1.0, abs(said.effect) / scale) if scale else 0.0
            colour = np.array(RAISED if said.effect >= 0 else LOWERED)
            red, green, blue = np.rint(255 + strength * (colour - 255)).astype(int).tolist()
            out.append((x, row, text, (red, green, blue)))
            x += size
    return out, row + 1 if explained.lines else 0
