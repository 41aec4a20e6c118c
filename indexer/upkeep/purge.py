"""Purge: what was deleted leaves the disk, and a proof says what that was.

What an open case needs to repeat its searches (`indexer.holds`) stays, and the report names the case, unless the purge
is told to go over that case: then its hold says from now on that it was purged.

Two commits around the removal. The first adds the proof, made from the very files that are about to go; then they are
unlinked; the second forgets them. A kill in between leaves a whole index whose next purge finishes the work. The blocks
are given back to the file system: whether the medium itself still holds traces is beyond any program's reach.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import caches, io, segments, tables, watches
from indexer.digest import row_digests
from indexer.errors import DamagedIndexError
from indexer.holds import HOLDS, Holder, changing
from indexer.manifest import PURGE, ROWS, FileEntry, canonical, data_name, utc_now
from indexer.store import Store
from indexer.typed import taken
from indexer.upkeep.compact import compact_with
from indexer.upkeep.held import check_over, ids_of, part
from indexer.writer import Writer

PROOF_FORMAT = "tgfr-purge-proof"


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What `purge` did.

    Attributes:
        generation: The state that is committed now.
        proofs: The proofs this purge wrote, or finished, as files of the index; none where nothing was to be removed.
        rows_removed: Rows whose vectors, captions, metadata and crops are on disk no more.
        files_removed: Files removed.
        bytes_removed: Their bytes.
        rows_kept: Deleted rows that are still on disk, because an open case needs them.
        files_kept: Replaced files that are still there for such a case.
        held_by: Those cases.
        gone_over: The cases whose searches cannot be repeated from now on, since they were told to be gone over.
        hits_removed: Hits of watches on rows that are gone.
    """

    generation: int
    proofs: tuple[str, ...]
    rows_removed: int
    files_removed: int
    bytes_removed: int
    rows_kept: int = 0
    files_kept: int = 0
    held_by: tuple[Holder, ...] = ()
    gone_over: tuple[Holder, ...] = ()
    hits_removed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def purge(store: Store, *, over: Collection[str] = ()) -> PurgeReport:
    """Remove deleted rows, and values that updates replaced, from the disk; write a proof of it into the index.

    The digests of photos that were deleted for good stay, as the proofs do: without them the next enrolment of the
    same folder would bring them back. A digest of the bytes tells nothing to who has not the photo itself.

    Hits of watches (`indexer.watches`) on rows that are gone go too. So do all caches: they are made again from what is
    left when they are next needed.

    The index is compacted first. Files kept for readers of earlier generations go too: such a reader gets a
    `StaleReaderError` where it asks for one of them. A snapshot or an export made earlier is a copy of its own and is
    not touched.

    Args:
        store: The index.
        over: Ids of cases whose holds are no reason to keep anything.

    Raises:
        HeldError: One of `over` is on legal hold, or holds nothing; nothing is changed then.
        IndexLockedError: Somebody else is writing.
        DamagedIndexError: A file cannot be read, so that nobody can say what it held; nothing is removed then.
        DiskFullError, StorageError: The system refused; call again to go on.
    """
    with store.writer() as writer, ExitStack() as stack:
        before = writer.committed.generation
        check_over(store.path, over)
        compact_with(writer)
        if writer.committed.retired or (store.path / HOLDS).is_dir():
            stack.enter_context(changing(store.path))  # no search may begin to need what is about to go
        parted = part(writer, over)
        doomed = parted.doomed
        proofs = _proofs(writer)
        proven = {name for proof in proofs.values() for name in _names(proof)}
        unproven = [entry for entry in doomed if entry.name not in proven]
        if unproven:
            entry, proof = _write_proof(writer, unproven, parted.spared, before)
            writer.rewrite(writer.committed.next([entry], writer.committed.next_row_id))
            proofs[entry.name] = proof
        parted.give_up(store.path)
        caches.forget(store.path)
        here = [entry for entry in doomed if (store.path / entry.name).exists()]
        io.remove_files([store.path / entry.name for entry in here])
        if doomed:
            writer.rewrite(writer.committed.without_retired(doomed))
        ours = {name: proof for name, proof in proofs.items() if _names(proof) & {entry.name for entry in doomed}}
        return PurgeReport(
            generation=writer.committed.generation,
            proofs=tuple(ours),
            rows_removed=sum(len(proof["rows_removed"]) for proof in ours.values()),
            files_removed=len(here),
            bytes_removed=sum(entry.size for entry in here),
            rows_kept=parted.rows_kept,
            files_kept=len(parted.spared),
            held_by=parted.held_by,
            gone_over=parted.gone_over,
            hits_removed=watches.forget_rows(store.path, writer.generation.ids.tolist()),
        )


def _write_proof(
    writer: Writer, doomed: Sequence[FileEntry], spared: Sequence[FileEntry], before: int
) -> tuple[FileEntry, dict[str, Any]]:
    """Writes what is about to go: rows that the index has no more and no file that is spared holds."""
    committed, directory = writer.committed, writer.generation.directory
    removed: dict[int, dict[str, Any]] = {}
    there = np.concatenate([writer.generation.ids, *(ids_of(directory, each) for each in spared if each.kind == ROWS)])
    for entry in doomed:
        if entry.kind == ROWS:
            own, table = committed.at_home, segments.read_table(directory, entry, None)
            gone = ~np.isin(segments.to_numpy(table["row_id"]), there)
            lost = taken(table, np.flatnonzero(gone))
            with_vectors = own is not None and any(map(tables.is_vector, table.column_names))
            blocks = tables.blocks_of(lost, own) if own is not None and with_vectors else {}
            for row_id, image, content in row_digests(lost, blocks):
                removed[row_id] = {"row_id": row_id, "image_sha256": image, "content_sha256": content}
    body = {
        "format": PROOF_FORMAT,
        "format_version": 1,
        "index_id": committed.index_id,
        "generation": committed.generation + 1,
        "time": utc_now(),
        "rows_removed": [removed[row_id] for row_id in sorted(removed)],
        "files_removed": [_told(entry) for entry in doomed],
        "files_rewritten": [_told(entry) for entry in committed.files if entry.generation > before],
    }
    proof = {**body, "digest": hashlib.sha256(canonical(body)).hexdigest()}
    data = canonical(proof)
    io.write_file(directory / data_name(PURGE, committed.generation + 1), data)
    sha256 = hashlib.sha256(data).hexdigest()
    return FileEntry(PURGE, committed.generation + 1, len(removed), len(data), sha256), proof


def _proofs(writer: Writer) -> dict[str, dict[str, Any]]:
    directory = writer.generation.directory
    return {entry.name: read_proof(directory / entry.name) for entry in writer.committed.of_kind(PURGE)}


def read_proof(path: Path) -> dict[str, Any]:
    """Read and check the proof of a purge.

    Raises:
        DamagedIndexError: It is not there, or does not agree with its own digest.
    """
    data = io.read_file(path)
    try:
        proof = json.loads(data)
        body = {name: value for name, value in proof.items() if name != "digest"}
        whole = body["format"] == PROOF_FORMAT and canonical(proof) == data
        whole = whole and proof["digest"] == hashlib.sha256(canonical(body)).hexdigest()
    except (ValueError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise DamagedIndexError(str(path), found="other content", expected="the proof of a purge, as it was written")
    return dict(proof)


def _names(proof: dict[str, Any]) -> set[str]:
    return {file["name"] for file in proof["files_removed"]}


def _told(entry: FileEntry) -> dict[str, Any]:
    return {"name": entry.name, "rows": entry.rows, "size": entry.size, "sha256": entry.sha256}
