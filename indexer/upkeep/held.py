"""What open cases hold of the files that a compaction has replaced: who must be named, and what must stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import segments, tables
from indexer.errors import HeldError
from indexer.holds import Hold, Holder, mark_purged, read_holds
from indexer.manifest import ROWS, FileEntry
from indexer.rows import IdArray
from indexer.writer import Writer


@dataclass(frozen=True)
class Parted:
    """The replaced files, parted in those that go and those that stay.

    Attributes:
        doomed: Nobody needs them.
        spared: A case does.
        keepers: Holds that need one of `spared`.
        hit: Holds that are gone over, and need one of `doomed`.
        lost: By the name of each hold, ids of the rows in its files that the index has no more: int64 [n].
    """

    doomed: tuple[FileEntry, ...]
    spared: tuple[FileEntry, ...]
    keepers: tuple[Hold, ...]
    hit: tuple[Hold, ...]
    lost: dict[str, IdArray]

    @property
    def rows_kept(self) -> int:
        """Deleted rows that stay on disk."""
        return len(set().union(*(self.lost[hold.name].tolist() for hold in self.keepers)))

    @property
    def held_by(self) -> tuple[Holder, ...]:
        """The cases that keep something."""
        return self._by_case(self.keepers)

    @property
    def gone_over(self) -> tuple[Holder, ...]:
        """The cases that lose something."""
        return self._by_case(self.hit)

    def give_up(self, directory: Path) -> None:
        """Says in the holds that are gone over that what they need is gone."""
        for hold in self.hit:
            mark_purged(directory, hold)

    def _by_case(self, holds: Sequence[Hold]) -> tuple[Holder, ...]:
        return tuple(
            self._told([hold for hold in holds if hold.case == case]) for case in sorted({h.case for h in holds})
        )

    def _told(self, own: Sequence[Hold]) -> Holder:
        gone = {row for hold in own for row in self.lost[hold.name].tolist()}
        return Holder(
            case=own[0].case,
            searches=tuple(sorted(hold.search for hold in own)),
            generations=tuple(sorted({hold.generation for hold in own})),
            rows_deleted=len(gone),
            candidates=tuple(sorted({row for hold in own for row in hold.rows} & gone)),
            legal=any(hold.legal for hold in own),
        )


def part(writer: Writer, over: Collection[str] = ()) -> Parted:
    """Which of the replaced files of an index go, and which stay.

    Args:
        writer: Of the index.
        over: Ids of cases whose holds do not count.

    Raises:
        DamagedIndexError: A hold, or a file that one needs, cannot be read.
    """
    directory, retired = writer.generation.directory, writer.committed.retired
    needs = {hold: {file.name for file in hold.state(directory).files} for hold in _open(read_holds(directory))}
    kept = set().union(*(names for hold, names in needs.items() if hold.case not in over))
    doomed, spared = ([file for file in retired if (file.name in kept) == stays] for stays in (False, True))
    going, staying = ({file.name for file in files} for files in (doomed, spared))
    keepers = tuple(hold for hold, names in needs.items() if hold.case not in over and names & staying)
    hit = tuple(hold for hold, names in needs.items() if hold.case in over and names & going)
    lost = {hold.name: _lost(writer, hold) for hold in (*keepers, *hit)}
    return Parted(tuple(doomed), tuple(spared), keepers, hit, lost)


def check_over(directory: Path, over: Collection[str]) -> None:
    """Refuses to go over a case that is on legal hold, or that holds nothing here.

    Raises:
        HeldError: It is so.
    """
    if not over:
        return
    there = _open(read_holds(directory))
    if unknown := sorted(set(over) - {hold.case for hold in there}):
        known = ", ".join(sorted({hold.case for hold in there})) or "nobody does"
        raise HeldError(f"{directory}", found=f"case {unknown[0]}, which holds nothing", expected=f"who does: {known}")
    if legal := sorted({hold.case for hold in there if hold.legal and hold.case in over}):
        raise HeldError(
            f"{directory}",
            found=f"case {legal[0]}, which is on legal hold",
            expected="a case that is not",
            do="end its legal hold first: `tgfr-search case hold DIR --release`",
        )


def ids_of(directory: Path, entry: FileEntry) -> IdArray:
    """The row ids of a file of rows: int64 [n]."""
    return segments.read_ids(directory, entry, tables.rows_schema(None))


def _open(holds: Iterable[Hold]) -> list[Hold]:
    return [hold for hold in holds if not hold.purged]


def _lost(writer: Writer, hold: Hold) -> IdArray:
    directory = writer.generation.directory
    files = hold.state(directory).of_kind(ROWS)
    there = np.concatenate([np.empty(0, np.int64), *(ids_of(directory, file) for file in files)])
    return np.setdiff1d(there, writer.generation.ids)
