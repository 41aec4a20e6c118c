"""One run of `index`: the plan of the gallery against the rows that are there; what is encoded, what goes, what stays.

Everything is judged against what the run leaves behind, never against what it found: a photo is a duplicate of what
will be there, and a row goes only once what takes its place is part of the same commit or of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from indexer import QuarantineRecord, RowBatch, Store, Writer
from pipelines.enrol.auto_captions import MARK, Describer
from pipelines.enrol.batches import EnrolBatch
from pipelines.enrol.plan import UNREAD, Plan, Wanted, every_face, sha256_of
from pipelines.enrol.summary import IndexSummary
from tgfr_search.data.rows import Problem
from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.names import canonical_path
from tgfr_search.types import Record

NOTES = 20
"""Notes of a run; what does not fit the type of its column is told of so many rows."""


class IndexRun:
    """One run's bookkeeping.

    Args:
        store: The index, as its writer found it.
        writer: Of the index.
        summary: Filled in.
        plan: What the gallery asks for.
        problems: Rows and files that gave no record.
        options: `FaceFinder.identity`: with another, a photo that was refused gets another look.
        describer: What gives words to photos without any.
        again: Enrol also photos that were deleted for good.
        every: Enrol all faces of a photo. Without it photos whose faces are all enrolled stay so.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        summary: IndexSummary,
        plan: Plan,
        problems: Sequence[Problem],
        options: str,
        describer: Describer | None,
        again: bool,
        every: bool = False,
    ) -> None:
        self.writer, self.summary, self.plan, self.problems = writer, summary, plan, problems
        self.options, self.describer, self.every = options, describer, every
        # An older index has names as they were written: a photo keeps its row, under the name's one form.
        self.row_of = {self._now_named(name): row for name, row in store.rows_by_image().items()}
        self.described_by = store.caption_sources()
        self.ids_of = dict[str, list[int]]()
        for name, ids in store.row_ids_by_image().items():
            self.ids_of.setdefault(self._now_named(name), []).extend(ids)
        self.photo_of = {self._now_named(name): photo for name, photo in store.photos_by_image().items()}
        self.refused = {record.image: record for record in store.quarantined()}
        self.fields = plan.fields
        for example in store.metadata_examples():
            self.fields.learn(example)
        # Rows that the gallery names and does not tell right, files and folders that could not be opened: nobody knows
        # what they hold. Of a file that is not there it is known.
        self.closed = {canonical_path(p.name) for p in problems if p.reason != Reason.MISSING_IMAGE and p.name}
        self.below_closed = tuple(f"{name}/" for name in self.closed)
        here = set(self.photo_of.values())
        self.removed = {
            name
            for name, row in plan.rows.items()
            if not again and (row.photo, row.subject) not in here and store.is_removed(row.photo, row.subject)
        }
        self.waiting: dict[str, Wanted] = {}
        self.key_of: dict[str, str] = {}
        self.there: set[str] = set()
        self.failed: set[str] = set()
        self.standing: set[str] = set()
        self.old_names = self._moved()
        self.done = self.pending = 0
        self._sort_out()

    def fresh(self, read: Callable[[], Iterable[Record]]) -> Iterator[Record]:
        """The records that must be encoded, with the captions of their copies; `read` gives the gallery once more.

        A photo that the second reading does not give was taken away since: nobody knows what it shows now.
        """
        for record in read() if self.waiting else ():
            row = self.waiting.pop(record.name, None)
            if row is not None:
                self.key_of[record.name] = self._key(row)
                yield replace(record, captions=row.captions)
            if not self.waiting:
                return
        for name in self.waiting:
            self.plan.unread[name] = FaceError(Reason.MISSING_IMAGE, "it was there when the run began, and is not now")

    def enrol(self, batch: EnrolBatch) -> None:
        """Adds a batch's rows in place of those they replace, and quarantines its failures."""
        for name, reason, detail in batch.failed:
            self._refuse(self.plan.rows[name], reason, detail, self.key_of.pop(name))
        self.done += len(batch.failed)
        if batch.rows is None:
            return
        names = list(dict.fromkeys(batch.rows.images))  # a photo may have several faces
        moved = [(old, name) for name in names for old in self.old_names.get(name, ())]
        replaced = [name for name in names if name in self.row_of]
        for name in names:
            del self.key_of[name]
        self._delete([*replaced, *(old for old, _ in moved)])
        self.writer.add(self._typed(batch.rows))
        self.there.update(names)
        self.done += len(names)
        self.pending += len(batch.rows)
        self.summary.enrolled += len(batch.rows)
        self.summary.replaced += len(replaced)
        self.summary.renamed_images += moved
        self.summary.without_caption += sum(not lines for lines in batch.rows.captions)
        self.summary.auto_captioned += sum(
            MARK in metadata and source is not None
            for metadata, source in zip(batch.rows.metadata, batch.rows.caption_sources or (), strict=True)
        )
        self.summary.captions_truncated += batch.truncated
        told = dict(zip(batch.rows.images, batch.rows.quality, strict=True)).items()
        self.summary.several_faces_images += [name for name, quality in told if int(quality.get("faces") or 0) > 1]
        self.summary.truncated_images += [name for name, quality in told if quality.get("truncated")]

    def _key(self, row: Wanted) -> str:
        return every_face(row.key) if self.every else row.key

    def _typed(self, rows: RowBatch) -> RowBatch:
        """The rows with metadata in the types of their columns; what does not fit is enrolled and told."""
        metadata = list[dict[str, Any]]()
        for name, row in zip(rows.images, rows.metadata, strict=True):
            stored, odd = self.fields.enrolled(row)
            metadata.append(stored)
            self.summary.notes += [f"{name}: {note}" for note in odd if len(self.summary.notes) < NOTES]
        return replace(rows, metadata=metadata)

    def _now_named(self, name: str) -> str:
        return name if name in self.plan else canonical_path(name)

    def commit(self) -> None:
        """Makes everything so far durable."""
        self.writer.commit()
        self.pending = 0

    def finish(self, prune: bool) -> None:
        """Settles rows and quarantine records that the gallery does not ask for (any more), and commits."""
        summary, plan, removed = self.summary, self.plan, set(self.summary.removed_images)
        for name in [name for name in self.row_of if name not in self.there]:
            kept = plan.copies.get(name, name)
            if self._is_unread(name):
                summary.unread_images.append(name)
            elif name not in plan:
                summary.gone_images.append(name)
            elif kept in self.there:
                self._delete([name])
            elif kept in self.failed and self.photo_of[name][0] == plan.rows[kept].photo:
                summary.outdated_images.append(name)  # what is said of it changed, and it cannot be encoded anew
            elif kept in self.failed or name in removed:
                self._delete([name])
                summary.withdrawn_images.append(name)
        if prune:
            summary.pruned = len(summary.gone_images)
            self._delete(summary.gone_images)
            summary.gone_images = []
        for name, error in plan.unread.items():
            self._quarantine(QuarantineRecord(name, error.reason.value, error.detail, ""))
        for problem in self.problems:
            self._quarantine(QuarantineRecord(problem.name or "?", problem.reason.value, problem.detail, ""))
        self.writer.release(name for name in self.refused if name not in self.standing and not self._is_unread(name))
        self.commit()
        summary.duplicate_images += sorted((copy, kept) for copy, kept in plan.copies.items() if kept in self.there)
        for count in ("renamed", "withdrawn", "outdated", "gone", "unread", "removed", "several_faces", "truncated"):
            setattr(summary, count, len(getattr(summary, f"{count}_images")))
        summary.duplicates = len(summary.duplicate_images)

    def need_same_gallery(self, gallery: str, most: bool) -> None:
        """Refuse to prune by a gallery that is not the index's, or not the whole of it.

        Args:
            gallery: Its name.
            most: Whether it is meant that most rows go; by a gallery that has no photo of the index none goes.

        Raises:
            InputError: The photos of fewer than half of the rows are in the gallery.
        """
        photos = {row.photo for row in self.plan.rows.values()}
        known = sum(
            name in self.plan or self._is_unread(name) or self.photo_of[name][0] in photos for name in self.row_of
        )
        if 2 * known >= len(self.row_of) or (most and known):
            return
        do = "check the path and that the disk is mounted; nothing was changed"
        raise InputError(
            "index --prune",
            found=f"{known or 'none'} of the index's {len(self.row_of):,} photos in {gallery}",
            expected="the gallery that the index was made from",
            do=f"{do}; --prune-most where it is meant that most rows go" if known else do,
        )

    def _sort_out(self) -> None:
        self.failed.update(name for name, error in self.plan.unread.items() if error.reason not in UNREAD)
        for name, row in self.plan.rows.items():
            enrolled = self.row_of.get(name, (0, ""))[1]
            refused = self.refused.get(name)
            if enrolled in (self._key(row), every_face(row.key)) and not self._describes_anew(row):
                self.summary.unchanged += 1
                self.there.add(name)
            elif name in self.removed:
                self.summary.removed_images += (name, *row.copies)
            elif refused is not None and refused.source_key == sha256_of(self._key(row), self.options):
                self._refuse(row, refused.reason, refused.detail, self._key(row))  # the same bytes and options as then
            else:
                self.waiting[name] = row
                continue
            self.done += 1
        self.done += len(self.plan.copies) + len(self.plan.unread)

    def _moved(self) -> dict[str, list[str]]:
        """Name of a photo that is to be enrolled → names it had before, under which the gallery has nothing now."""
        new: dict[tuple[str, str], str] = {}
        for name, row in self.plan.rows.items():
            if self.photo_of.get(name, ("",))[0] != row.photo:
                new.setdefault((row.photo, row.subject), name)
        old: dict[str, list[str]] = {}
        for name in self.row_of:
            if name not in self.plan and not self._is_unread(name) and self.photo_of[name] in new:
                old.setdefault(new[self.photo_of[name]], []).append(name)
        return old

    def _describes_anew(self, row: Wanted) -> bool:
        """Whether a row that is enrolled as it stands would get (other) words from this run's describer."""
        return (
            self.describer is not None
            and not row.captions
            and self.described_by.get(self.row_of[row.name][0]) != self.describer.model_id
        )

    def _is_unread(self, name: str) -> bool:
        """Whether nobody knows what the gallery holds under a name: the photo, or a folder above it, was unreadable."""
        if name in self.plan.unread:
            return self.plan.unread[name].reason in UNREAD
        return name in self.closed or name.startswith(self.below_closed)

    def _refuse(self, row: Wanted, reason: str, detail: str, key: str) -> None:
        if reason in UNREAD:  # it was readable when it was planned
            self.plan.unread[row.name] = FaceError(Reason(reason), detail)
            return
        self.failed.add(row.name)
        for name in (row.name, *row.copies):
            self._quarantine(QuarantineRecord(name, reason, detail, sha256_of(key, self.options)))

    def _quarantine(self, record: QuarantineRecord) -> None:
        self.writer.quarantine([record])
        self.standing.add(record.image)

    def _delete(self, names: Sequence[str]) -> None:
        """Deletes rows by name; from now on they are as if they had not been there."""
        ids = list[int]()
        for name in names:
            del self.row_of[name]
            ids += self.ids_of.pop(name)
        if ids:
            self.writer.delete(row_ids=ids)
