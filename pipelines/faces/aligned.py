"""Aligned faces of a data set on disk, made once and shared by training and evaluation.

They are written in blocks of `BLOCK` rows and resume after a kill at the last whole block. They are a cache: delete the
folder and they are made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.faces.find import find_faces
from tgfr_search.data.records import read_records
from tgfr_search.data.same_person import one_name_each, read_decisions
from tgfr_search.errors import NothingUsableError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key, replace_text
from tgfr_search.types import AlignedFace, ByteArray, Record

BLOCK = 512

Progress = Callable[[str, int, int], None]
"""(what, done, total) as the work goes on."""


def silent(what: str, done: int, total: int) -> None:
    """No progress display."""


def data_sha256(path: Path) -> str:
    """SHA-256 of a file, or of the relative names and contents of all files of a folder."""
    total = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            total.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def source_sha256(source: Path) -> str:
    """`data_sha256` of a data set; that of a table which names image files is taken with the files' contents."""
    own = data_sha256(source)
    if source.is_dir():
        return own
    total = hashlib.sha256(own.encode())
    for record in read_records(source, need_subject=False, on_problem=lambda problem: None):
        if record.path is None:
            return own  # the images are in the table itself
        with Path(record.path).open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


@dataclass(frozen=True)
class Chips:
    """The aligned faces of one split.

    Attributes:
        folder: Where they are.
        pixels: uint8 [N, S, S, 3], memory-mapped.
        names: N row names.
        subjects: N subject ids.
        sha256: N digests of the source photos.
        captions: N tuples of lines.
        metadata: N mappings.
        failures: Reason code → how many photos gave no face, or rows were left out unopened.
        data_sha256: Of the source data.
    """

    folder: Path
    pixels: ByteArray
    names: list[str]
    subjects: list[str]
    sha256: list[str]
    captions: list[tuple[str, ...]]
    metadata: list[dict[str, Any]]
    failures: dict[str, int]
    data_sha256: str

    def __len__(self) -> int:
        return len(self.names)


def relabelled(chips: Chips, decided: Path | None) -> Chips:
    """The same faces under the subjects that somebody decided them to be of: `data.same_person`.

    Raises:
        InputError: The file is no table of decisions, or they contradict each other.
    """
    if decided is None:
        return chips
    return replace(chips, subjects=one_name_each(chips.subjects, read_decisions(decided), chips.names))


def load_chips(
    source: Path,
    split: str | None,
    cache: Path,
    finder: FaceFinder,
    *,
    captions: Path | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Chips:
    """Aligned faces of a data set, from the cache or made now.

    Args:
        source: Data set in any form that `index` takes.
        split: Which split of it; None where it has none.
        cache: Folder of caches.
        finder: How photos become faces.
        captions: Captions file of a folder.
        workers: Processes that find faces; None is one a core.
        progress: Called as the work goes on.
    """
    digest = source_sha256(source)
    key = cache_key(data=digest, split=split, captions=captions and data_sha256(captions), finder=finder)
    left_out: Counter[str] = Counter()
    records = read_records(
        source, captions=captions, split=split, on_problem=lambda problem: left_out.update([problem.reason.value])
    )
    folder = cache / f"chips-{split or 'all'}-{key}"
    return chips_of(records, folder, f"{source}", digest, finder, left_out, workers=workers, progress=progress)


def chips_of(
    records: Iterator[Record],
    folder: Path,
    source: str,
    digest: str,
    finder: FaceFinder,
    left_out: Counter[str],
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Chips:
    """Aligned faces of a stream of records, kept in `folder`; what is there already is not made again.

    Args:
        records: Read once, and only where the folder is not finished.
        folder: Of this very stream and finder.
        source: Where the records are from, for messages.
        digest: Of the source data.
        finder: How photos become faces.
        left_out: Reason → rows left out before any photo was opened; counted while the stream is read.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Raises:
        NothingUsableError: Not one face was found.
    """
    done = folder / "meta.json"
    if not done.is_file():
        blocks = folder / "blocks"
        blocks.mkdir(parents=True, exist_ok=True)
        index = 0
        while block := list(islice(records, BLOCK)):
            path = blocks / f"{index:06d}"
            if not path.with_suffix(".json").is_file():
                _write_block(path, list(find_faces(block, finder, workers)))
            index += 1
            progress("faces found", index * BLOCK, 0)
        _join_blocks(folder, blocks, source, digest, left_out)
    meta = json.loads(done.read_text())
    table = pq.read_table(folder / "rows.parquet").to_pydict()
    return Chips(
        folder=folder,
        pixels=np.load(folder / "chips.npy", mmap_mode="r"),
        names=table["name"],
        subjects=table["subject_id"],
        sha256=table["sha256"],
        captions=[tuple(lines) for lines in table["captions"]],
        metadata=[json.loads(text) for text in table["metadata"]],
        failures=meta["failures"],
        data_sha256=meta["data_sha256"],
    )


def _write_block(path: Path, found: list[tuple[Any, Any]]) -> None:
    faces = [(record, face) for record, face in found if isinstance(face, AlignedFace)]
    failed = [face.reason.value for _, face in found if not isinstance(face, AlignedFace)]
    rows = [
        [r.name, r.subject_id, face.source_sha256, list(r.captions), json.dumps(dict(r.metadata), sort_keys=True)]
        for r, face in faces
    ]
    if faces:
        np.save(path.with_suffix(".npy"), np.stack([face.pixels for _, face in faces]))
    # The block counts once this file is there.
    replace_text(path.with_suffix(".json"), json.dumps({"rows": rows, "failed": failed}))


def _join_blocks(folder: Path, blocks: Path, source: str, digest: str, left_out: Counter[str]) -> None:
    parts = [(json.loads(path.read_text()), path.with_suffix(".npy")) for path in sorted(blocks.glob("[0-9]*.json"))]
    rows = [row for part, _ in parts for row in part["rows"]]
    failures = left_out + Counter(reason for part, _ in parts for reason in part["failed"])
    if not rows:
        found = ", ".join(f"{count} {reason}" for reason, count in failures.items())
        raise NothingUsableError(source, found=found, expected="photographs of faces, each with a subject id")
    first = np.load(next(array for part, array in parts if part["rows"]), mmap_mode="r")
    out = np.lib.format.open_memmap(folder / "chips.npy", "w+", np.uint8, (len(rows), *first.shape[1:]))
    at = 0
    for part, array in parts:
        if part["rows"]:
            out[at : at + len(part["rows"])] = np.load(array)
            at += len(part["rows"])
    out.flush()
    names = ("name", "subject_id", "sha256", "captions", "metadata")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), folder / "rows.parquet")
    # The folder counts as finished once this file is there.
    replace_text(folder / "meta.json", json.dumps({"failures": dict(failures), "data_sha256": digest}))
    shutil.rmtree(blocks)
