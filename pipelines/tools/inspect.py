"""Looks at a data set: counts (`tgfr_search.data.survey`), and a page with thumbnails that stands by itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.faces.aligned import Progress, silent
from tgfr_search.data.survey import NAMED, Part, Spread, Survey, survey
from tgfr_search.encoders.base import TextEncoder
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.errors import FaceError, InputError
from tgfr_search.evaluation.report.page import POLICY
from tgfr_search.evaluation.report.style import STYLE
from tgfr_search.faces.decode import decode
from tgfr_search.model.checkpoint import DEFAULT_MODEL, find_model, read_config
from tgfr_search.outputs import GENERATOR, check_file, write_whole
from tgfr_search.types import Record
from tgfr_search.visible import escaped as escape

THUMBNAILS = 24
SIDE = 160
LINES_SHOWN = 3


class Sample:
    """A few images of a stream of unknown length, every one with the same chance (reservoir sampling).

    Args:
        size: How many.
        seed: Of the draw.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seen, self.rng = size, 0, np.random.default_rng(seed)
        self.kept: list[tuple[Record, bytes]] = []

    def add(self, record: Record, data: bytes) -> None:
        """Called with every image in turn."""
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append((record, data))
        elif (at := int(self.rng.integers(self.seen))) < self.size:
            self.kept[at] = (record, data)


def default_text_encoder() -> Path:
    """The folder of the shipped model's text encoder."""
    folder = find_model(DEFAULT_MODEL)
    return folder / str(read_config(folder)["text"])


def inspect_data(
    source: Path,
    *,
    captions: Path | None = None,
    split: str | None = None,
    subject_level: int | None = None,
    text_encoder: str | None = None,
    report: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Survey:
    """Counts a data set and, where a page is asked for, draws it.

    Args:
        source: Data set in any form that `index` takes.
        captions: Captions table of a folder.
        split: Look at this split only.
        subject_level: Of a folder; see `read_records`.
        text_encoder: Whose tokens are counted, as configurations name it; None is the shipped model's.
        report: HTML file to write, with thumbnails of real people where the data show some: it is data too.
        seed: Which images become thumbnails.
        progress: Called as the work goes on.

    Raises:
        InputError: As `read_records`; or the report has another ending than `.html`.
        NothingUsableError: There is no usable image.
    """
    if report is not None:
        check_file(report, endings=(".html", ".htm"), inputs=[source, *([] if captions is None else [captions])])
    if text_encoder == "bilstm":
        do = "name a folder or a transformers model"
        raise InputError("text encoder 'bilstm'", found="a vocabulary that training makes", do=do)
    encoder: Any = make_text_encoder(text_encoder or str(default_text_encoder()))
    sample = Sample(THUMBNAILS if report else 0, seed)
    found = survey(
        source,
        captions=captions,
        split=split,
        subject_level=subject_level,
        text_encoder=text_encoder or DEFAULT_MODEL,
        reads=encoder.max_tokens,
        lengths=lambda lines: line_lengths(encoder, lines),
        on_image=sample.add if report else None,
        progress=progress,
    )
    if report is not None:
        write_whole(report, page(found, sample.kept).encode("utf-8", "backslashreplace"))
    return found


def line_lengths(encoder: TextEncoder, lines: Sequence[str]) -> tuple[list[int], int]:
    """Tokens of each line, special ones included, at most as many as the encoder reads; how many lines were cut."""
    tokens = encoder.tokenize(lines)
    return tokens.attention.sum(dim=1).tolist(), tokens.truncated


def page(found: Survey, pictures: Sequence[tuple[Record, bytes]]) -> str:
    """The report: no script, no network, everything inside.

    Args:
        found: What was counted.
        pictures: Images to show, with their encoded bytes; one that does not decode is told as such.
    """
    title = escape(f"Data set {Path(found.source).name}" + (f", {found.split}" if found.split else ""))
    captions = found.captions
    spreads = {
        "lines per captioned image": captions.lines_per_image,
        "words per line": captions.words_per_line,
        f"tokens per distinct line ({captions.text_encoder}, reads {captions.reads})": captions.tokens_per_line,
    }
    figures = "".join(_figure(record, data) for record, data in sorted(pictures, key=lambda one: one[0].name))
    shared = "".join(
        f'<p class="notice">{count:,} subjects are in both of {escape(names)}: people met in training make a test easy.'
        "</p>"
        for names, count in found.shared_subjects.items()
    )
    sections = [
        ("Images and subjects", _parts({"all": found.total, **found.splits}) + shared),
        ("Captions", _facts(captions.lines, captions.distinct, captions.cut) + _spreads(spreads)),
        ("Left out", _problems(found)),
        ("Duplicates", _duplicates(found)),
        ("Some images", f'<div class="thumbs">{figures}</div>' if figures else ""),
    ]
    body = "".join(f"<section><h2>{name}</h2>{html}</section>" for name, html in sections if html)
    extra = (
        ".thumbs{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:1rem}"
        ".thumbs figure{margin:0;font-size:.8rem;overflow-wrap:anywhere}"
        ".thumbs img,.thumbs .none{width:100%;border-radius:6px}"
        ".thumbs .none{display:grid;place-items:center;min-height:6rem;background:var(--line)}"
        "td{white-space:normal;overflow-wrap:anywhere}"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"{GENERATOR}"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title>'
        f"<style>{STYLE}{extra}</style></head><body><header><h1>{title}</h1>"
        f'<p class="facts">{escape(found.form)} · {escape(found.source)}</p>'
        f'<p class="notice">Licence: {escape(found.licence)} This page shows some of the data: the same terms hold '
        f"for it.</p></header><main>{body}</main></body></html>\n"
    )


def _number(value: float) -> str:
    return f"{value:,.6g}"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "<td>–</td>" * 4
    return "".join(f"<td>{_number(n)}</td>" for n in (spread.least, spread.median, spread.mean, spread.most))


def _table(columns: Sequence[str], rows: str) -> str:
    head = "".join(f"<th>{name}</th>" for name in columns)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _parts(parts: Mapping[str, Part]) -> str:
    columns = ["split", "images", "subjects", "with 2 or more", "genuine pairs", "captioned"]
    columns += [f"images a subject: {name}" for name in ("least", "median", "mean", "most")]
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f"<td>{n:,}</td>"
            for n in (part.images, part.subjects, part.subjects_of_two, part.genuine_pairs, part.captioned)
        )
        + f"{_spread(part.images_per_subject)}</tr>"
        for name, part in parts.items()
    )
    return _table(columns, rows)


def _facts(lines: int, distinct: int, cut: int) -> str:
    return f"<p>{lines:,} lines, {distinct:,} of them different; {cut:,} are longer than the text encoder reads.</p>"


def _spreads(spreads: Mapping[str, Spread | None]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th>{_spread(spread)}</tr>" for name, spread in spreads.items())
    return _table(["", "least", "median", "mean", "most"], rows)


def _problems(found: Survey) -> str:
    if not found.problems:
        return "<p>Nothing.</p>"
    counts = "".join(f"<tr><th>{escape(why)}</th><td>{n:,}</td></tr>" for why, n in found.problems.items())
    return _table(["reason", "rows or files"], counts) + _list(found.examples, sum(found.problems.values()))


def _duplicates(found: Survey) -> str:
    said = (
        f"<p>{found.duplicates:,} images have the bytes of an earlier one, {found.two_owners:,} of them under another "
        "subject.</p>"
    )
    return said + _list(found.duplicate_examples, found.duplicates)


def _list(examples: Sequence[str], total: int) -> str:
    more = f"<li>and {total - NAMED:,} more</li>" if total > NAMED else ""
    items = "".join(f"<li>{escape(text)}</li>" for text in examples)
    return f"<ul>{items}{more}</ul>" if items else ""


def _figure(record: Record, data: bytes) -> str:
    try:
        picture = Image.fromarray(decode(data))
        picture.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80)
        shown = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    except FaceError as error:
        shown = f'<div class="none">{escape(error.reason.value)}</div>'
    lines = "".join(f"<br>{escape(line[:200])}" for line in record.captions[:LINES_SHOWN])
    split = f" · {escape(record.split)}" if record.split else ""
    who = f"<b>{escape(str(record.subject_id))}</b>{split} <small>{escape(record.name)}</small>"
    return f"<figure>{shown}<figcaption>{who}{lines}</figcaption></figure>"
