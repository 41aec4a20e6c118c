"""Explanations on the HTML sheet: a heat map over the probe's face, coloured words, and the terms as bars."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image

from pipelines.search.explain import Explained, Explanation
from pipelines.search.explain_picture import LOWERED, RAISED, heat_map, named_terms, strongest
from tgfr_search.types import ByteArray
from tgfr_search.visible import escaped

FACE = 220

STYLE = """
.why{border:1px solid #8884;border-radius:8px;padding:1rem;margin:1rem 0}
.why h3{margin:0 0 .6rem}
.pair{display:flex;gap:1rem;flex-wrap:wrap;align-items:flex-start}
.face{position:relative;width:220px;height:220px;border-radius:4px;overflow:hidden;flex:none}
.face img,.face .none{width:220px;height:220px;position:absolute;inset:0;border-radius:0}
.face .grey{filter:grayscale(1)}
.pair figure{border:0;padding:0;width:220px}
.terms{flex:1 1 20rem;border-collapse:collapse;font-size:13px}
.terms td{padding:.12rem .35rem;vertical-align:middle}
.terms td:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}
.terms .track{width:9rem;height:.7rem;position:relative;background:#8882}
.terms .track i{position:absolute;top:0;bottom:0}
.terms tr.sum td{border-top:1px solid #8888;font-weight:600}
.said{font-size:1.1rem;line-height:2.1;margin:.8rem 0 .2rem}
.said mark{color:inherit;border-radius:4px;padding:.1rem .05rem}
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
    region, word = strongest(explained)
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
        f'<h2>Why these scores</h2><p class="lead">{escaped(explained.notice)}</p>'
        f"<p><small>Lowered the score {key} raised it. {scales}. Same colours for all candidates below.</small></p>"
        f"{cards}"
    )


def _card(explained: Explained, own: Explanation, crop: bytes | None, region: float, word: float, missing: str) -> str:
    probe = ""
    if explained.chip is not None and own.regions is not None:
        heat = _png_bytes(heat_map(own.regions, region, FACE))
        probe = (
            '<figure><div class="face">'
            f'<img class="grey" alt="probe" src="{_uri(_jpeg_bytes(explained.chip), "jpeg")}">'
            f'<img alt="effect of each region" src="{_uri(heat, "png")}"></div>'
            "<figcaption>probe: what each region did</figcaption></figure>"
        )
    picture = f'<div class="none">{missing}</div>' if crop is None else f'<img alt="" src="{_uri(crop, "jpeg")}">'
    candidate = f'<figure><div class="face">{picture}</div><figcaption>candidate</figcaption></figure>'
    return (
        f'<section class="why"><h3>{own.rank}. {escaped(own.subject_id)}: score {own.score:.3f}</h3>'
        f'<div class="pair">{probe}{candidate}{_terms(own)}</div>{_said(explained, own, word)}</section>'
    )


def _terms(own: Explanation) -> str:
    rows = named_terms(own)
    most = max((abs(value) for _, value in rows), default=1.0) or 1.0
    lines = []
    for name, value in rows:
        width, left = 50 * abs(value) / most, 50 if value >= 0 else 50 - 50 * abs(value) / most
        bar = f'<i style="left:{left:.1f}%;width:{width:.1f}%;background:{_css(value, 1.0)}"></i>'
        lines.append(f'<tr><td>{escaped(name)}</td><td>{value:+.3f}</td><td><div class="track">{bar}</div></td></tr>')
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
            parts.append(escaped(line[end : said.start]))
            strength = min(1.0, abs(said.effect) / scale) if scale else 0.0
            number = f"<sub>{said.effect:+.2f}</sub>" if strength >= 0.1 else ""
            parts.append(
                f'<mark style="background:{_css(said.effect, 0.65 * strength)}" title="without it the score changes by '
                f'{-said.effect:+.3f}">{escaped(said.text)}{number}</mark>'
            )
            end = said.end
        out.append("".join(parts) + escaped(line[end:]))
    ranked = sorted(own.phrases, key=lambda said: -abs(said.effect))
    phrases = " · ".join(f"{escaped(said.text)} {said.effect:+.2f}" for said in ranked)
    more = f"<small>Together: {phrases}</small>" if phrases else ""
    return f'<p class="said">{"<br>".join(out)}</p>{more}'


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
