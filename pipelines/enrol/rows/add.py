"""Photos added to an index beside what it holds: nothing else of it is touched, as an upload wants it.

`index_gallery` brings an index to what a gallery holds; here the photos are a few more, and neither the rows of others
nor their quarantine are judged by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from indexer import QuarantineRecord, RowBatch, Store, Writer
from pipelines.enrol.batches import EnrolBatch, LocalEngine
from pipelines.enrol.index import Committed, contract_of
from pipelines.enrol.plan import Plan, plan_gallery, sha256_of
from pipelines.enrol.rows.fields import Fields
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Record


class Outcome(StrEnum):
    """What became of a photo. Stored: never rename one."""

    ENROLLED = "enrolled"
    UNCHANGED = "unchanged"
    """It is there already, with the same words and metadata."""
    DUPLICATE = "duplicate"
    """Its bytes are there already, of the same subject, under another name."""
    REMOVED = "removed"
    """It was deleted for good earlier, and nobody asked for it again."""
    REFUSED = "refused"
    """It gave no usable face: in quarantine."""


@dataclass(frozen=True)
class Told:
    """What became of one photo.

    Attributes:
        name: Of its row.
        outcome: What.
        reason: Reason code where it was refused.
        detail: For a person.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""


def add_photos(
    path: Path,
    records: Sequence[Record],
    model: FaceTextModel,
    *,
    finder: FaceFinder,
    told: Callable[[Sequence[Told]], None] = lambda several: None,
    stop: Callable[[], bool] = lambda: False,
    again: bool = False,
    journal: Journal | None = None,
    committed: Committed = lambda store: None,
) -> int:
    """Enrols photos; each batch is committed before it is told. After a kill the same call goes on where it was.

    Args:
        path: Index directory.
        records: Photos with names of their own.
        model: What encodes.
        finder: How photos become faces.
        told: Called with what is certain now.
        stop: Asked before each batch; True ends the work with what is committed.
        again: Enrol also photos that were deleted for good.
        journal: Where it is told, before and after.
        committed: As of `index_gallery`.

    Returns:
        Rows that were added.

    Raises:
        IndexLockedError: Somebody else writes to the index.
        IndexerError: It cannot be used, or another model made it.
        AuditError: The journal refuses.
    """
    store = Store.open(path).fitting(contract_of(model, finder.detector))
    rows = 0
    with change(journal, Act.ENROL, index_of(store)) as log, store.writer() as writer:
        run = _Run(store, writer, plan_gallery(records), again)
        told(run.settled())
        for batch in LocalEngine(workers=0).enrol(run.fresh(records, stop), model, finder, run.keys, crops=True):
            rows += run.add(batch)
            writer.commit()
            committed(store)
            told(run.of(batch))
        told(run.unread())
        log |= {"rows": rows, "again": again, "generation": store.generation}
    committed(store)
    return rows


class _Run:
    """Bookkeeping of one call."""

    def __init__(self, store: Store, writer: Writer, plan: Plan, again: bool) -> None:
        self.writer, self.plan = writer, plan
        # Only the rows that these photos have to do with are read: a photo costs the same in a large index.
        found = store.rows(store.ids_of(plan.rows, {row.photo for row in plan.rows.values()}), chips=False)
        self.there = {row.image: (row.row_id, row.source_key) for row in found if row.image in plan}
        self.keys = dict[str, str]()
        self.fields = plan.fields
        for example in store.metadata_examples():
            self.fields.learn(example)
        elsewhere = {(row.image_sha256, row.subject_id) for row in found if row.image not in plan}
        self._settled = dict[str, Outcome]()
        for name, row in plan.rows.items():
            if name in self.there and self.there[name][1] == row.key:
                self._settled[name] = Outcome.UNCHANGED
            elif (row.photo, row.subject) in elsewhere:
                self._settled[name] = Outcome.DUPLICATE
            elif not again and name not in self.there and store.is_removed(row.photo, row.subject):
                self._settled[name] = Outcome.REMOVED
        self._settled |= dict.fromkeys(plan.copies, Outcome.DUPLICATE)

    def settled(self) -> list[Told]:
        """Photos that need no work."""
        return [Told(name, outcome) for name, outcome in self._settled.items()]

    def fresh(self, records: Sequence[Record], stop: Callable[[], bool]) -> Iterator[Record]:
        """The others, until somebody stops it."""
        for record in records:
            row = self.plan.rows.get(record.name)
            if row is None or record.name in self._settled:
                continue
            if stop():
                return
            self.keys[record.name] = row.key
            yield replace(record, captions=row.captions)

    def add(self, batch: EnrolBatch) -> int:
        """Gathers a batch's rows in place of those of the same names, and its failures."""
        self.writer.quarantine(
            QuarantineRecord(name, reason, detail, sha256_of(self.keys[name])) for name, reason, detail in batch.failed
        )
        if batch.rows is None:
            return 0
        names = set(batch.rows.images)
        if old := [self.there[name][0] for name in names if name in self.there]:
            self.writer.delete(row_ids=old)
        self.writer.add(typed(batch.rows, self.fields))
        self.writer.release(names)
        return len(batch.rows)

    def of(self, batch: EnrolBatch) -> list[Told]:
        """What became of the photos of a batch."""
        names = [] if batch.rows is None else list(dict.fromkeys(batch.rows.images))
        refused = [Told(name, Outcome.REFUSED, reason, detail) for name, reason, detail in batch.failed]
        return [*(Told(name, Outcome.ENROLLED) for name in names), *refused]

    def unread(self) -> list[Told]:
        """Photos that could not be read at all."""
        return [
            Told(name, Outcome.REFUSED, error.reason.value, error.detail) for name, error in self.plan.unread.items()
        ]


def typed(rows: RowBatch, fields: Fields) -> RowBatch:
    """The rows with metadata in the types of their columns; what does not fit is enrolled as it is."""
    return replace(rows, metadata=[fields.enrolled(row)[0] for row in rows.metadata])
