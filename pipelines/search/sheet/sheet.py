"""The contact sheet of one query: probe, description, candidates and their scores, as one HTML page or one PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from pipelines.enrol.batches import encode_crop
from pipelines.search.answers.card import card_text, compared_text, counted_text
from pipelines.search.answers.understood import understood_text, unread_text
from pipelines.search.explain.explained import Explained
from pipelines.search.explain.picture import explain_png
from pipelines.search.gallery import Gallery
from pipelines.search.sheet.explained import explained_view
from pipelines.search.sheet.text import drawable, fit, wrap
from tgfr_search.forensic.statement import lr_text
from tgfr_search.model.blocks import BLOCKS, STATEMENTS
from tgfr_search.outputs import MARK, SOFTWARE, check_file, write_whole
from tgfr_search.pages import render
from tgfr_search.types import QueryResult, SearchHit

COLUMNS = 5
FACE = 150
CELL = (170, 250)
ENDINGS = (".html", ".png")
MISSING = "no picture kept"
DRAWN = {**BLOCKS, STATEMENTS.name: STATEMENTS}


def write_sheet(
    path: Path,
    gallery: Gallery,
    result: QueryResult,
    probe: Path | None,
    caption: tuple[str, ...],
    explained: Explained | None = None,
    *,
    force: bool = False,
) -> None:
    """Writes the sheet.

    Args:
        path: `.html` or `.png`.
        gallery: Where the candidates' crops are.
        result: What was found.
        probe: The probe photo, if there was one.
        caption: The description, if there was one.
        explained: Why the first candidates have their scores; None draws none.
        force: Also over a file that is no earlier sheet.

    Raises:
        InputError: Another ending, or there is something else at `path` (see `check_sheet`).
        WriteError: The system refused.
    """
    check_sheet(path, probe, force=force)
    face = result.face or (None if probe is None else gallery.finder.find(str(probe)))
    chip = None if face is None else encode_crop(face.pixels)
    rows = gallery.store.rows([hit.row_id for hit in result.candidates])
    crops = [row.chip for row in rows]
    if path.suffix.lower() == ".html":
        write_whole(path, _html(result, chip, crops, caption, explained).encode("utf-8"))
        return
    page = _png(result, chip, crops, caption)
    if explained is not None:
        below = explain_png(explained, crops, page.width)
        whole = Image.new("RGB", (page.width, page.height + below.height), "white")
        whole.paste(page, (0, 0))
        whole.paste(below, (0, page.height))
        page = whole
    marked, buffer = PngInfo(), io.BytesIO()
    marked.add_text(SOFTWARE, MARK)
    page.save(buffer, "PNG", pnginfo=marked)
    write_whole(path, buffer.getvalue())


def check_sheet(path: Path, probe: Path | None = None, index: Path | None = None, *, force: bool = False) -> None:
    """Refuses a sheet that could not, or must not, be written: to be called before the search.

    Raises:
        InputError: Another ending, the probe itself, a file in the index, or one that is no earlier sheet.
    """
    inputs = [] if probe is None else [probe]
    check_file(path, endings=ENDINGS, inputs=inputs, outside=[] if index is None else [index], force=force)


def _worth(hit: SearchHit) -> str:
    return "" if hit.lr is None else f"log10 LR {lr_text(hit.lr)}"


def _bars(hit: SearchHit) -> list[dict[str, Any]]:
    """Share of each block in the score's positive part, in percent: what speaks for this candidate."""
    total = sum(max(0.0, value) for value in hit.blocks.values()) or 1.0
    return [
        {"name": name, "value": value, "width": 100 * max(0.0, value) / total, "colour": DRAWN[name].colour}
        for name, value in hit.blocks.items()
    ]


def _html(
    result: QueryResult,
    chip: bytes | None,
    crops: list[bytes | None],
    caption: tuple[str, ...],
    explained: Explained | None,
) -> str:
    quality = result.probe.get("quality")
    return render(
        "sheet.html",
        result=result,
        chip=chip,
        said=" ".join(caption),
        quality=quality["predicted"] if quality else None,
        legend=[block for name, block in DRAWN.items() if not result.candidates or name in result.candidates[0].blocks],
        understood=understood_text(result.description),
        unread=unread_text(result.description),
        missing=MISSING,
        shows=card_text(result.probe.get("attributes")),
        cards=[
            {
                "hit": hit,
                "crop": crop,
                "bars": _bars(hit),
                "said": compared_text(hit.statements),
                "worth": _worth(hit),
            }
            for hit, crop in zip(result.candidates, crops, strict=True)
        ],
        propositions=(result.calibration or {}).get("propositions", ()),
        why=None if explained is None else explained_view(explained, crops),
    )


def _png(result: QueryResult, chip: bytes | None, crops: list[bytes | None], caption: tuple[str, ...]) -> Image.Image:
    lines = -(-len(crops) // COLUMNS)
    header = FACE + 60
    page = Image.new("RGB", (COLUMNS * CELL[0] + 20, header + lines * CELL[1] + 20), "white")
    draw = ImageDraw.Draw(page)
    _line(draw, (10, 6), result.notice, "#b45309", page.width - 20)
    _paste(page, draw, chip, (10, 30))
    words, font = drawable(" ".join(caption) or "(no description)")
    read = understood_text(result.description)
    for at, line in enumerate(wrap(words, font, page.width - FACE - 40, 5 if read else 6)):
        draw.text((FACE + 30, 34 + 18 * at), line, "black", font)
    if read:
        _line(draw, (FACE + 30, 132), f"understood: {read}", "#555", page.width - FACE - 40)
    _line(draw, (FACE + 30, 150), f"{result.mode} search, model {result.model_id}", "#555", page.width - FACE - 40)
    for at, (hit, crop) in enumerate(zip(result.candidates, crops, strict=True)):
        x, y = 10 + (at % COLUMNS) * CELL[0], header + (at // COLUMNS) * CELL[1]
        _paste(page, draw, crop, (x, y))
        _line(draw, (x, y + FACE + 4), f"{hit.rank}. {hit.subject_id}", "black", CELL[0] - 6)
        made = ", machine caption" if hit.auto_caption else ""
        _line(draw, (x, y + FACE + 22), f"score {hit.score:.3f}{made}", "#555", CELL[0] - 6)
        _line(draw, (x, y + FACE + 40), counted_text(hit.statements), "#555", CELL[0] - 6)
        worth, font = drawable(_worth(hit))
        for below, line in enumerate(wrap(worth, font, CELL[0] - 6, 2)):
            draw.text((x, y + FACE + 58 + 18 * below), line, "#555", font)
    return page


def _line(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, fill: str, width: int) -> None:
    """One line that stays within its width, whatever it says."""
    shown, font = drawable(text)
    draw.text(at, fit(shown, font, width), fill, font)


def _paste(page: Image.Image, draw: ImageDraw.ImageDraw, data: bytes | None, at: tuple[int, int]) -> None:
    if data is None:
        draw.rectangle((*at, at[0] + FACE, at[1] + FACE), outline="#999")
        draw.text((at[0] + 20, at[1] + 65), MISSING, "#999")
    else:
        page.paste(Image.open(io.BytesIO(data)).resize((FACE, FACE)), at)
