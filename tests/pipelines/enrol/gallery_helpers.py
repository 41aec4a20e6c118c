"""Galleries that are edited and indexed again and again.

The photos are chips of noise, encoded by the shipped model one at a time and remembered, so that a template's last bits
do not depend on its batch.
"""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from indexer import Store
from pipelines.enrol.batches import EnrolBatch, enrol_batch
from pipelines.enrol.embed import EmbeddedBatch, embed_records
from pipelines.enrol.index import IndexSummary, index_gallery
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Record

ALIGNED = FaceFinder(FaceOptions(aligned=True))
NAMES = ("anna/1.png", "anna/2.png", "bert/1.png", "c.png", "zoe/0.png")
SUBJECTS = (None, "anna", "bert", "dora")
WORDS = ((), ("A man.",), ("He smiles.",))
CASES = ("14", "15")
FORMS = ("folder", "csv", "parquet", "parquet without names")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


RNG = np.random.default_rng(0)
FACES = [png(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(4)]
NO_FACES = [png(np.zeros((20, 60, 3), np.uint8)), b"no picture"]
PHOTOS = [*FACES, *NO_FACES]


@dataclass(frozen=True)
class Entry:
    name: str
    photo: int
    subject: str | None = None
    words: tuple[str, ...] = ()
    case: str = CASES[0]
    spoiled: bool = False  # a table says nothing of whose it is

    @property
    def owner(self) -> str:
        if self.spoiled:
            return ""
        path = Path(self.name)
        return self.subject or (path.parts[0] if len(path.parts) > 1 else path.stem)


class Remembering:
    """An engine that encodes each photo with its words once, alone."""

    def __init__(self) -> None:
        self.known: dict[tuple[bytes, tuple[str, ...]], EmbeddedBatch] = {}

    def enrol(
        self,
        records: Iterable[Record],
        model: FaceTextModel,
        finder: FaceFinder,
        keys: Mapping[str, str],
        *,
        crops: bool,
    ) -> Iterator[EnrolBatch]:
        for record in records:
            data = record.data if record.data is not None else Path(str(record.path)).read_bytes()
            what = data, record.captions
            if what not in self.known:
                (self.known[what],) = embed_records([record], model, finder, 0)
            batch = self.known[what]
            failed = tuple((record, error) for _, error in batch.failed)
            mine = replace(batch, records=(record,) if batch.records else (), failed=failed)
            yield enrol_batch(mine, keys, crops=crops)

    def committed(self) -> None:
        pass


ENGINE = Remembering()


def write(gallery: Path, form: str, entries: list[Entry]) -> Path:
    """The entries as a gallery of that form; returns what to index."""
    shutil.rmtree(gallery, ignore_errors=True)
    gallery.mkdir()
    if form.startswith("parquet"):
        columns: dict[str, Any] = {
            "image": [PHOTOS[e.photo] for e in entries],
            "subject_id": [e.owner or None for e in entries],
            "captions": [list(e.words) for e in entries],
            "case": [e.case for e in entries],
        }
        names = {"file": [e.name for e in entries]} if form == "parquet" else {}
        pq.write_table(pa.table({**columns, **names}), gallery / "set.parquet")
        return gallery / "set.parquet"
    for entry in entries:
        path = gallery / entry.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PHOTOS[entry.photo])
    table = gallery / ("captions.csv" if form == "folder" else "images.csv")
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption", "subject_id", "case"])
        for e in entries:
            owner = e.subject if form == "folder" else e.owner
            writer.writerows([e.name, words, owner, e.case] for words in e.words or ("",))
    return gallery if form == "folder" else table


def index(source: Path, out: Path, model: FaceTextModel, **options: Any) -> IndexSummary:
    return index_gallery(source, out, model, finder=ALIGNED, engine=ENGINE, workers=0, **options)


def rows_of(out: Path) -> dict[str, Any]:
    """Everything of every row but its id, by name."""
    store = Store.open(out)
    ids = [row_id for row_id, _ in store.rows_by_image().values()]
    assert len(ids) == len(store)
    rows = store.rows(ids)
    vectors = store.vectors(ids)
    return {row.image: (replace(row, row_id=0), at.tobytes()) for row, at in zip(rows, vectors, strict=True)}


def quarantine_of(out: Path) -> dict[str, Any]:
    return {record.image: record for record in Store.open(out).quarantined()}


def write_party(folder: Path) -> None:
    """Adds a photo of two of the demo's people and a smaller third."""
    faces = [np.asarray(Image.open(folder / f"person000{n}/view0.png").convert("RGB")) for n in (0, 1, 2)]
    photo = np.full((200, 580, 3), 120, np.uint8)
    photo[4:196, :192] = faces[0]
    for at, face, side in ((200, faces[1], 160), (400, faces[2], 110)):
        photo[10 : 10 + side, at : at + side] = np.asarray(Image.fromarray(face).resize((side, side)))
    (folder / "party").mkdir()
    Image.fromarray(photo).save(folder / "party/three.png")
