"""Enrol a gallery: photos with captions → rows of an index, resumable, nothing lost to one bad photo."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from indexer import Block, Contract, NotAnIndexError, QuarantineRecord, RowBatch, Store, Writer
from indexer.io import need_space
from pipelines.alike import SHOWN, find_alike
from pipelines.auto_captions import MARK, Describer, described_rows, describer_of, without_describer
from pipelines.enrol import Engine, EnrolBatch, LocalEngine
from pipelines.fields import Fields
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.data.manifest import read_records
from tgfr_search.data.rows import Problem
from tgfr_search.errors import FaceError
from tgfr_search.faces.align import ALIGNMENTS, FIRST_DIGESTS
from tgfr_search.faces.decode import read_bytes
from tgfr_search.faces.detectors.registry import DEFAULT, make_detector
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import in_scheme
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.names import canonical_path
from tgfr_search.types import LEAD_NOTICE, Record

COMMIT_ROWS = 512
COMMIT_SECONDS = 30.0
NOTES = 20
"""Notes of a run; what does not fit the type of its column is told of so many rows."""
CROP_BYTES, OTHER_BYTES = 12_000, 1_000
"""Of a row: a generous crop of 150 × 150 pixels; names, captions, metadata and Parquet's own."""

Progress = Callable[[int, int], None]
"""(images done, images expected)."""


@dataclass
class IndexSummary:
    """What a run of `index` did; the JSON of the command.

    Attributes:
        index: Directory.
        index_id: UUID of the index.
        generation: Commits behind it now.
        model_id: What encoded.
        enrolled: Rows added by this run.
        unchanged: Images that were enrolled already, with the same bytes, subject and captions.
        replaced: Of the added rows, those that took the place of an older row of the same name.
        duplicates: Images whose very bytes are enrolled for this subject under another name; they are kept once.
        duplicate_images: The first of them, each with the name that is kept.
        near_duplicates: Rows of this run that are so like an older row that they may be the same photo, saved again;
            all are kept. None where there are too many rows to look for them in every run.
        near_duplicate_rows: The most similar of them, each with the older row's name and their cosine.
        quarantined: Reason code → images that could not be enrolled (this run and earlier ones).
        ignored: Files of the gallery folder that are no images.
        notes: What was read otherwise than it was written, or seems meant and was not read, for a person.
        without_caption: Rows of this run without a caption.
        auto_captioned: Rows of this run whose caption the attribute model wrote.
        captions_truncated: Caption lines of this run that were longer than the text encoder reads.
        auto_captions: Attribute model → rows in the index now whose caption it wrote.
        rows: Rows in the index now.
        subjects: Subjects in the index now.
        seconds: Wall time of the run.
        notice: What scores mean.
    """

    index: str
    index_id: str = ""
    generation: int = 0
    model_id: str = ""
    enrolled: int = 0
    unchanged: int = 0
    replaced: int = 0
    duplicates: int = 0
    duplicate_images: list[tuple[str, str]] = field(default_factory=list)
    near_duplicates: int | None = 0
    near_duplicate_rows: list[dict[str, Any]] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)
    without_caption: int = 0
    auto_captioned: int = 0
    captions_truncated: int = 0
    auto_captions: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    subjects: int = 0
    seconds: float = 0.0
    notice: str = LEAD_NOTICE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def contract_of(model: FaceTextModel, detector: str = DEFAULT) -> Contract:
    """The contract of an index whose templates `model` makes of faces that `detector` finds.

    dlib's detector, the first there was, is not named in it: its points are told by the digest of the chip's template.
    """
    blocks = tuple(Block(name, dim) for name, dim in model.tgfr.layout)
    alignment = model.face_encoder.spec.alignment
    first = FIRST_DIGESTS.get(alignment)
    assumed = {"alignment_sha256": first} if first else {}
    if detector == DEFAULT:
        return Contract(blocks, model.contract, assumed=assumed)
    spec = make_detector(detector).spec
    own = {
        "detector": spec.name,
        "detector_sha256": spec.sha256,
        "alignment_sha256": in_scheme(ALIGNMENTS[alignment], spec.scheme).digest,
    }
    return Contract(blocks, {**model.contract, **own}, assumed={**assumed, "detector": DEFAULT})


def detector_of(path: Path) -> str:
    """Name of the detector that an index was made with; dlib's where there is no index yet."""
    try:
        return Store.open(path).contract.fields.get("detector", DEFAULT)
    except NotAnIndexError:
        return DEFAULT


def open_or_create(path: Path, model: FaceTextModel, detector: str = DEFAULT) -> Store:
    """The index at `path`, made where there is none.

    Raises:
        ContractMismatchError: It was made with another model, encoder, alignment or preprocessing.
        IndexerError: There is something else at `path`, or the index is damaged.
    """
    contract = contract_of(model, detector)
    try:
        return Store.open(path, contract)
    except NotAnIndexError:
        return Store.create(path, contract)


def bytes_a_row(contract: Contract, crops: bool) -> int:
    """About what a row takes on the disk: vectors, crop, and the rest."""
    return 4 * contract.dim + (CROP_BYTES if crops else 0) + OTHER_BYTES


def source_key(sha256: str, record: Record) -> str:
    """What identifies an enrolled image for a resumed run: its bytes, whose it is, what was said of it."""
    return _sha256(sha256, str(record.subject_id), json.dumps(record.captions), json.dumps(dict(record.metadata)))


def index_gallery(
    gallery: Path,
    out: Path,
    model: FaceTextModel,
    *,
    captions: Path | None = None,
    split: str | None = None,
    subject_level: int | None = None,
    finder: FaceFinder | None = None,
    workers: int | None = None,
    crops: bool = True,
    describer: Describer | None = None,
    engine: Engine | None = None,
    progress: Progress = lambda done, expected: None,
    journal: Journal | None = None,
) -> IndexSummary:
    """Enrols every image of a gallery that is not enrolled yet.

    Rows are committed every few hundred; a kill loses at most what was not committed, and the next run goes on there.

    Args:
        gallery: Folder, image Parquet, or table of images.
        out: Index directory, made if it is not there.
        model: What encodes.
        captions: Captions table of a folder.
        split: Rows of a table with a column `split`.
        subject_level: Of a folder: which folder is named after the subject, 1 the first; see `read_records`.
        finder: How photos become faces.
        workers: Processes that find faces; None is one a core, 0 none.
        crops: Keep the aligned face with its row, for contact sheets and for re-encoding.
        describer: Gives words to photos that nobody described; None leaves them without, and leaves alone what an
            earlier run's describer wrote. An engine of one's own must have it too.
        engine: Where photos become rows; None is this process and `workers`. The index is the same whichever it is.
        progress: Called after every batch.
        journal: Where the run is told, before it begins and when it has ended; None is nowhere.

    Raises:
        AuditError: The journal refuses: nothing is enrolled, or the rows are there and the run is not answered.
        InputError: The gallery or its captions are not what they should be.
        NothingUsableError: There is no image at all.
        IndexerError: The index refuses the model, is locked, damaged, or the disk is full.
    """
    started = time.monotonic()
    finder = (finder or FaceFinder()).for_alignment(model.face_encoder.spec.alignment).for_detector(detector_of(out))
    problems: list[Problem] = []
    records = read_records(
        gallery, captions=captions, split=split, subject_level=subject_level, on_problem=problems.append
    )
    store = open_or_create(out, model, finder.detector)
    need_space(out, max(0, records.estimate - len(store)) * bytes_a_row(store.contract, crops))
    first_new = store.manifest.next_row_id
    summary = IndexSummary(str(out), model_id=model.model_id, ignored=records.ignored, notes=list(records.notes))
    with change(journal, Act.ENROL, index_of(store)) as told, store.writer() as writer:
        run = _Run(store, writer, summary, finder, describer)
        committed = time.monotonic()
        engine = engine or LocalEngine(workers, describer)
        for batch in engine.enrol(run.fresh(records), model, finder, run.key_of, crops=crops):
            run.enrol(batch)
            progress(run.done, records.estimate)
            if run.pending >= COMMIT_ROWS or time.monotonic() - committed > COMMIT_SECONDS:
                run.commit()
                committed = time.monotonic()
        writer.quarantine(QuarantineRecord(p.name or "?", p.reason.value, p.detail, "") for p in problems)
        run.commit()
        told |= {"rows": summary.enrolled, "replaced": summary.replaced, "generation": store.generation}
    engine.committed()
    if summary.enrolled:
        alike = find_alike(store, first_new)
        summary.near_duplicates, summary.near_duplicate_rows = alike.count, alike.rows
    info = store.info()
    summary.index_id, summary.generation = store.index_id, store.generation
    summary.quarantined = dict(Counter(record.reason for record in store.quarantined()))
    summary.auto_captions = described_rows(key for _, key in store.rows_by_image().values())
    summary.rows, summary.subjects = info["rows"], info["subjects"]
    summary.seconds = round(time.monotonic() - started, 2)
    return summary


class _Run:
    """One run's bookkeeping: what is there already, what is new, what takes an older row's place."""

    def __init__(
        self, store: Store, writer: Writer, summary: IndexSummary, finder: FaceFinder, describer: Describer | None
    ) -> None:
        self.writer, self.summary, self.describer = writer, summary, describer
        self.options = repr(finder.options)
        # An older index has names as they were written: a photo keeps its row, which gets the name's one form.
        self.row_of = {canonical_path(name): row for name, row in store.rows_by_image().items()}
        self.keys = {without_describer(key) for _, key in self.row_of.values()}
        self.name_of_photo = store.photos()
        self.refused = {record.image: record.source_key for record in store.quarantined()}
        self.fields = Fields(row for _, row in store.metadata())
        self.key_of: dict[str, str] = {}
        self.done = self.pending = 0

    def fresh(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records that this run must encode; the others are counted."""
        for record in records:
            try:
                data = record.data if record.data is not None else read_bytes(str(record.path))
            except FaceError as error:
                self.writer.quarantine([QuarantineRecord(record.name, error.reason.value, error.detail, "")])
                self.done += 1
                continue
            digest = hashlib.sha256(data).hexdigest()
            key = source_key(digest, record)
            kept = self.name_of_photo.setdefault((digest, str(record.subject_id)), record.name)
            enrolled = self.row_of.get(record.name, (0, ""))[1]
            same = without_describer(enrolled) == key
            if same and not self._describes_anew(record, enrolled):
                self.summary.unchanged += 1
            elif not same and (key in self.keys or (kept != record.name and record.name not in self.row_of)):
                self.summary.duplicates += 1
                if len(self.summary.duplicate_images) < SHOWN:
                    self.summary.duplicate_images.append((record.name, kept))
            elif self.refused.get(record.name) == _sha256(key, self.options):
                pass  # refused before with the same bytes and options: it still stands in quarantine
            else:
                self.keys.add(key)
                self.key_of[record.name] = key
                yield record
                continue
            self.done += 1

    def _describes_anew(self, record: Record, enrolled: str) -> bool:
        """Whether a row that is enrolled as it stands would get (other) words from this run's describer."""
        return self.describer is not None and not record.captions and describer_of(enrolled) != self.describer.model_id

    def enrol(self, batch: EnrolBatch) -> None:
        """Adds a batch's rows and quarantines its failures."""
        for name, reason, detail in batch.failed:
            key = self.key_of.pop(name)
            self.keys.discard(key)
            self.writer.quarantine([QuarantineRecord(name, reason, detail, _sha256(key, self.options))])
        self.done += len(batch.failed)
        if batch.rows is None:
            return
        names = batch.rows.images
        for name in names:
            del self.key_of[name]
        old = [self.row_of[name][0] for name in names if name in self.row_of]
        if old:
            self.writer.delete(row_ids=old)
        self.writer.add(self._typed(batch.rows))
        self.done += len(names)
        self.pending += len(names)
        self.summary.enrolled += len(names)
        self.summary.replaced += len(old)
        self.summary.without_caption += sum(not lines for lines in batch.rows.captions)
        self.summary.auto_captioned += sum(
            MARK in metadata and describer_of(key) is not None
            for metadata, key in zip(batch.rows.metadata, batch.rows.source_keys, strict=True)
        )
        self.summary.captions_truncated += batch.truncated

    def _typed(self, rows: RowBatch) -> RowBatch:
        """The rows with metadata in the types of their columns; what does not fit is enrolled and told."""
        metadata = list[dict[str, Any]]()
        for name, row in zip(rows.images, rows.metadata, strict=True):
            stored, odd = self.fields.enrolled(row)
            metadata.append(stored)
            self.summary.notes += [f"{name}: {note}" for note in odd if len(self.summary.notes) < NOTES]
        return replace(rows, metadata=metadata)

    def commit(self) -> None:
        """Makes everything so far durable."""
        self.writer.commit()
        self.pending = 0


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
