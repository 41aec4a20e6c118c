"""Enrol a gallery: photos with captions → rows of an index, resumable, nothing lost to one bad photo."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from indexer import Block, Contract, NotAnIndexError, Store
from indexer.io import need_space
from indexer.milvus import MilvusStore
from pipelines.enrol.auto_captions import Describer
from pipelines.enrol.batches import Engine, EnrolBatch, LocalEngine
from pipelines.enrol.near_duplicates import find_alike
from pipelines.enrol.plan import plan_gallery
from pipelines.enrol.run import IndexRun
from pipelines.enrol.summary import IndexSummary as IndexSummary
from pipelines.enrol.summary import keep_names, several_subjects
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.data.records import Records, read_records
from tgfr_search.data.rows import Problem
from tgfr_search.faces.align import ALIGNMENTS, FIRST_DIGESTS
from tgfr_search.faces.detectors.registry import FIRST, make_detector
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.schemes import in_scheme
from tgfr_search.model.checkpoint import shipped_as
from tgfr_search.model.loaded import FaceTextModel

COMMIT_ROWS = 512
COMMIT_SECONDS = 30.0
LOGGED = ("replaced", "renamed", "withdrawn", "outdated", "gone", "pruned", "unread", "removed")
"""Counts of a run that a log is told."""
CROP_BYTES, OTHER_BYTES = 50_000, 1_000
"""Of a row: a generous aligned face of 150 × 150 pixels and crop of 256 × 256; names, captions, metadata, Parquet's."""

Progress = Callable[[int, int], None]
"""(images done, images expected)."""

Committed = Callable[[Store], None]
"""Is told an index that has just been committed."""


def contract_of(model: FaceTextModel, detector: str = "") -> Contract:
    """The contract of an index whose templates `model` makes of faces that `detector`, else its own, finds.

    dlib's detector, the first there was, is not named in it: its points are told by the digest of the chip's template.
    So an index that names none is dlib's, whatever is the default today.
    """
    blocks = tuple(Block(name, dim) for name, dim in model.tgfr.layout)
    alignment = model.face_encoder.spec.alignment
    first = FIRST_DIGESTS.get(alignment)
    assumed, detector = {"alignment_sha256": first} if first else {}, detector or model.detector
    if detector == FIRST:
        return Contract(blocks, model.contract, assumed=assumed)
    spec = make_detector(detector).spec
    own = {
        "detector": spec.name,
        "detector_sha256": spec.sha256,
        "alignment_sha256": in_scheme(ALIGNMENTS[alignment], spec.scheme).digest,
    }
    return Contract(blocks, {**model.contract, **own}, assumed={**assumed, "detector": FIRST})


def opened(path: Path) -> Store | None:
    """The index at `path`; None where there is none yet."""
    try:
        return Store.open(path)
    except NotAnIndexError:
        return None


def detector_of(store: Store | MilvusStore | None) -> str:
    """Name of the detector that an index was made with; empty where there is no index yet."""
    return "" if store is None else store.contract.fields.get("detector", FIRST)


def model_of(store: Store | MilvusStore | None) -> str | None:
    """Name of the shipped model that made an index (its default space); None where another did, or there is no index.

    So an index is searched and added to by its own model where nobody names one, whichever is the default today.
    """
    return None if store is None else shipped_as(store.contract.model)


def bytes_a_row(contract: Contract, crops: bool) -> int:
    """About what a row takes on the disk: vectors, crop, and the rest."""
    return 4 * contract.dim + (CROP_BYTES if crops else 0) + OTHER_BYTES


def index_gallery(
    gallery: Path, out: Path, model: FaceTextModel, *, captions: Path | None = None, split: str | None = None,
    subject_level: int | None = None, finder: FaceFinder | None = None, workers: int | None = None, crops: bool = True,
    describer: Describer | None = None, engine: Engine | None = None, prune: bool = False, prune_most: bool = False,
    again: bool = False, progress: Progress = lambda done, expected: None, journal: Journal | None = None,
    committed: Committed = lambda store: None,
) -> IndexSummary:  # fmt: skip
    """Brings an index to what a gallery holds: every image that is not enrolled as it is now is enrolled.

    Photos are told by name and content, never by their place in a table. All are read and hashed first, so that what
    was renamed, moved, swapped or replaced since the last run is judged against the gallery as it is. Rows whose photo
    is gone stay, and are told, unless `prune`. A kill loses the last few hundred rows at most; the next run goes on.

    Args:
        gallery: Folder, image Parquet, or table of images.
        out: Index directory, made if it is not there.
        model: What encodes.
        captions: Captions table of a folder.
        split: Rows of a table with a column `split`.
        subject_level: Of a folder: which folder is named after the subject, 1 the first; see `read_records`.
        finder: How photos become faces.
        workers: Processes that find faces; None is one a core, 0 none.
        crops: Keep the aligned face with its row, for contact sheets, and a crop with a margin, for other models.
        describer: Gives words to photos that nobody described; None leaves an earlier run's. An engine has it too.
        engine: Where photos become rows; None is this process and `workers`. The index is the same whichever it is.
        prune: Delete the rows whose photo is not in the gallery any more.
        prune_most: And let more than half of the rows go so.
        again: Enrol also photos that `delete` removed from the index earlier.
        progress: Called after every batch.
        journal: Where the run is told, before it begins and when it has ended; None is nowhere.
        committed: Called with the index after every commit, for `pipelines.search.watch.match`, and once at the end.

    Raises:
        AuditError: The journal refuses: nothing is enrolled, or the rows are there and the run is not answered.
        InputError: The gallery or its captions are not what they should be, or it has too few photos to `prune` by.
        NothingUsableError: There is no image at all.
        IndexerError: The index refuses the model, is locked, damaged, or the disk is full.
    """
    started = time.monotonic()
    there = opened(out)
    finder = model.find_with((finder or FaceFinder()).for_detector(detector_of(there)))
    problems: list[Problem] = []
    read = partial(read_records, gallery, captions=captions, split=split, subject_level=subject_level)
    records = read(on_problem=problems.append)
    store = _with_space(there, out, contract_of(model, finder.detector), records, crops)
    first_new = store.manifest.next_row_id
    summary = _summary_of(records, out, model)
    engine = engine or LocalEngine(workers, describer)
    with change(journal, Act.ENROL, index_of(store)) as told, store.writer() as writer:
        plan = plan_gallery(records, lambda: progress(0, records.estimate))
        every = finder.options.on_multiple == "all"
        run = IndexRun(store, writer, summary, plan, problems, finder.identity, describer, again, every)
        if prune := prune or prune_most:
            run.need_same_gallery(str(gallery), prune_most)
        fresh = run.fresh(lambda: read(on_problem=lambda problem: None))  # what is wrong was told by the first reading
        batches = engine.enrol(fresh, model, finder, run.key_of, crops=crops)
        _enrol(run, batches, prune, lambda: progress(run.done, records.estimate), lambda: committed(store))
        told |= _logged(summary) | {"prune": prune, "again": again, "generation": store.generation}
    engine.committed()
    return _finished(summary, store, first_new, started)


def _with_space(there: Store | None, out: Path, contract: Contract, records: Records, crops: bool) -> Store:
    """The index that is filled, made where there is none, on a disk that has room for the rows that may come."""
    store = Store.create(out, contract) if there is None else there.fitting(contract)
    need_space(out, max(0, records.estimate - len(store)) * bytes_a_row(store.contract, crops))
    return store


def _summary_of(records: Records, out: Path, model: FaceTextModel) -> IndexSummary:
    """What is known before the first photo is enrolled."""
    summary = IndexSummary(str(out), model_id=model.model_id, ignored=records.ignored)
    summary.ignored_files, summary.notes = list(records.passed_over), list(records.notes)
    return summary


def _logged(summary: IndexSummary) -> dict[str, object]:
    """What a log is told of a run that has ended."""
    return {"rows": summary.enrolled, **{name: getattr(summary, name) for name in LOGGED}}


def _enrol(
    run: IndexRun, batches: Iterable[EnrolBatch], prune: bool, progress: Callable[[], None], told: Callable[[], None]
) -> None:
    """Takes the batches as they come, and commits every few hundred rows, every half minute, and at the end."""
    since = time.monotonic()
    for batch in batches:
        run.enrol(batch)
        progress()
        if run.pending >= COMMIT_ROWS or time.monotonic() - since > COMMIT_SECONDS:
            run.commit()
            told()
            since = time.monotonic()
    run.finish(prune)
    told()


def _finished(summary: IndexSummary, store: Store, first_new: int, started: float) -> IndexSummary:
    """The summary with what is asked of the finished index."""
    if summary.enrolled:
        alike = find_alike(store, first_new)
        summary.near_duplicates, summary.near_duplicate_rows = alike.count, alike.rows
    info = store.info()
    summary.index_id, summary.generation = store.index_id, store.generation
    summary.quarantined = dict(Counter(record.reason for record in store.quarantined()))
    summary.auto_captions = dict(Counter(store.caption_sources().values()))
    summary.several_subjects_images = several_subjects(store)
    summary.several_subjects = len(summary.several_subjects_images)
    summary.rows, summary.subjects = info["rows"], info["subjects"]
    keep_names(store, summary)
    summary.seconds = round(time.monotonic() - started, 2)
    return summary
