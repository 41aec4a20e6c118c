"""Looks at a data set: counts (`tgfr_search.data.survey`), and a page with thumbnails that stands by itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.faces.aligned import Progress, silent
from tgfr_search.data.survey import NAMED, survey
from tgfr_search.data.surveyed import Survey
from tgfr_search.encoders.base import TextEncoder
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.errors import FaceError, InputError
from tgfr_search.faces.decode import decode
from tgfr_search.model.checkpoint import DEFAULT_MODEL, find_model, read_config
from tgfr_search.outputs import check_file, write_whole
from tgfr_search.pages import render
from tgfr_search.types import Record

THUMBNAILS = 24
SIDE = 160


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
    thumbs = [(record, *_thumbnail(data)) for record, data in sorted(pictures, key=lambda one: one[0].name)]
    parts = {"all": found.total, **found.splits}
    return render("data.html", found=found, name=Path(found.source).name, parts=parts, named=NAMED, thumbs=thumbs)


def _thumbnail(data: bytes) -> tuple[bytes | None, str]:
    """A small JPEG, or why there is none."""
    try:
        picture = Image.fromarray(decode(data))
    except FaceError as error:
        return None, error.reason.value
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue(), ""
