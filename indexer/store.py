"""The index: open, add, delete, search. Joins the parts of this package; start reading here.

A directory holds immutable Parquet files and a manifest that lists them; replacing the manifest is the one commit
point.
Search structures are built in memory from the vectors when first needed and are never the truth.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer import holds, io, lock, manifest
from indexer.backends import DEFAULT_BACKEND
from indexer.backends.base import BackendFactory
from indexer.contract import Contract
from indexer.digest import content_digest
from indexer.duplicates import NearDuplicate, near_duplicates
from indexer.errors import DamagedIndexError, IndexerError, IndexExistsError
from indexer.filters.gallery import Searched
from indexer.generation import Generation
from indexer.manifest import MANIFEST_NAME, Manifest
from indexer.opened import Opened
from indexer.ranking import check_queries
from indexer.rows import FloatArray, IdArray, QuarantineRecord, Row, SubjectHit, removed_key
from indexer.tables import CAPTION_SOURCE
from indexer.typed import present
from indexer.writer import Writer


class Store:
    """An index at the generation it was opened at; writing through it moves it on, others' commits do not.

    Made by `Store.open` and `Store.create`. It holds no file open, so it needs no closing.

    Any number of threads may use one store, also while one of them writes through it: each call answers from one
    generation. `pinned` keeps several calls at the same one. A process that forks may go on with it in both halves.
    """

    def __init__(self, path: Path, committed: Manifest, backend: str | BackendFactory) -> None:
        self.path, self._backend = path, backend
        self._at = Opened(Generation(path, committed), backend)

    def pinned(self) -> Store:
        """This store at its generation, for several calls that belong together; it shares all that is loaded.

        Writing through this store does not move the pinned one.
        """
        pinned = Store.__new__(Store)
        pinned.path, pinned._backend, pinned._at = self.path, self._backend, self._at
        return pinned

    @classmethod
    def create(cls, path: str | Path, contract: Contract, *, backend: str | BackendFactory = DEFAULT_BACKEND) -> Store:
        """Make a new, empty index.

        Args:
            path: A directory that is not there yet, or is empty.
            contract: What its vectors will be made with.
            backend: As `open`.

        Raises:
            IndexExistsError: There is an index, or something else, at `path`.
            DiskFullError, StorageError: The system refused.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise IndexExistsError(str(path), found="a file", expected="no such path, or an empty directory")
        io.make_directory(path)
        _need_empty(path)
        with lock.hold(path):
            _need_empty(path)  # another process may have been faster
            now = manifest.utc_now()
            committed = Manifest(str(uuid.uuid4()), 0, 0, now, now, contract)
            manifest.write_manifest(path, committed)
        return cls(path, committed, backend)

    @classmethod
    def open(
        cls,
        path: str | Path,
        contract: Contract | None = None,
        *,
        backend: str | BackendFactory = DEFAULT_BACKEND,
        generation: int | None = None,
    ) -> Store:
        """Open an index. Checks the manifest and every file's size; `verify` checks every byte.

        Args:
            path: The index directory.
            contract: What the caller's queries are made with: the space that it fits is opened; None is the default.
            backend: What to search with, a name of `indexer.backends.BACKENDS` or what makes another package's; not
                touched before it is needed.
            generation: An earlier state, which an open case holds (`indexer.holds`), to be read; None is the newest.

        Raises:
            GoneGenerationError: That state is not held, or was purged.
            NotAnIndexError, FormatVersionError, DamagedIndexError: `path` does not hold a whole index of this format.
            ContractMismatchError: `contract` differs from the index's own; names every field.
        """
        path = Path(path)
        while True:
            newest = committed = manifest.read_manifest(path)
            if generation is not None and generation != newest.generation:
                committed = holds.held_state(path, generation)
            if contract is not None:
                committed = _fitting(committed, contract, str(path))
            store = cls(path, committed, backend)
            try:
                store._generation.check_sizes()
            except DamagedIndexError:
                # A purge between the two may have removed a file of the state just read; then there is a newer one.
                if manifest.read_manifest(path).generation == newest.generation:
                    raise
            else:
                return store

    def at(self, generation: int) -> Store:
        """This index at an earlier generation, which an open case holds, to be read.

        Raises:
            GoneGenerationError: It is not held, or was purged.
            DamagedIndexError: A file of it is not there.
        """
        return Store.open(self.path, self.contract, backend=self._backend, generation=generation)

    def fitting(self, contract: Contract) -> Store:
        """This index through the space that a caller's vectors fit, which is whole: this store, or another.

        Raises:
            ContractMismatchError: There is none; names every field in which the default space differs.
            IncompleteSpaceError: It has no vectors of some rows yet.
        """
        seen = _fitting(self.manifest, contract, str(self.path))
        store = self if seen.contract == self.contract else Store(self.path, seen, self._backend)
        store._generation.need_complete()
        return store

    def without_vectors(self) -> IdArray:
        """Ids of the rows that have no vectors in this store's space: int64 [n], ascending."""
        return self._generation.missing

    def without_crop(self) -> IdArray:
        """Ids of the rows that have no crop with a margin: int64 [n], ascending."""
        here = self._generation
        missing = np.from_dlpack(pc.indices_nonzero(pc.is_null(here.column("crop_points"))))
        return here.ids[missing.astype(np.int64)]

    def __len__(self) -> int:
        return len(self._generation)

    @property
    def _generation(self) -> Generation:
        return self._at.generation

    @property
    def contract(self) -> Contract:
        """What the vectors were made with."""
        return self._generation.manifest.contract

    @property
    def manifest(self) -> Manifest:
        """The committed state that this store is at."""
        return self._generation.manifest

    @property
    def index_id(self) -> str:
        """UUID of this index, fixed at creation."""
        return self._generation.manifest.index_id

    @property
    def generation(self) -> int:
        """How many commits this state has behind it."""
        return self._generation.manifest.generation

    def info(self) -> dict[str, Any]:
        """Counts, sizes, times and contract, as plain JSON values."""
        return {"path": str(self.path), **self._generation.info()}

    def digest(self) -> str:
        """What the index holds at this generation as one number: see `indexer.digest.content_digest`.

        Raises:
            DamagedIndexError: A file of the index cannot be read.
        """
        return content_digest(self._generation)

    def row_ids(self, subject_id: str | None = None) -> IdArray:
        """Ids of all rows, ascending, or of one subject's: int64 [N]."""
        here = self._generation
        codes, names = here.subjects
        if subject_id is None:
            return np.sort(here.ids)
        return np.sort(here.ids[codes == names.index(subject_id)] if subject_id in names else here.ids[:0])

    def source_keys(self) -> frozenset[str]:
        """The content keys of all rows that are there: what a resumed run need not encode again."""
        return frozenset(self._generation.column("source_key").to_pylist())

    def rows_by_image(self) -> dict[str, tuple[int, str]]:
        """Row name → (row id, content key) of every row; of several rows of one name the newest."""
        here = self._generation
        names, keys = (column.to_pylist() for column in here.read(["image", "source_key"]).values())
        return {name: (row, key) for name, row, key in zip(names, here.ids.tolist(), keys, strict=True)}

    def row_ids_by_image(self) -> dict[str, list[int]]:
        """Row name → ids of its rows, rising: a photo whose faces are all enrolled has several."""
        here, out = self._generation, dict[str, list[int]]()
        for name, row in zip(here.column("image").to_pylist(), here.ids.tolist(), strict=True):
            out.setdefault(name, []).append(row)
        return out

    def caption_sources(self) -> dict[int, str]:
        """Row id → what wrote its captions, or found nothing to say, of the rows that no person described."""
        here = self._generation
        return {int(here.ids[at]): source for at, source in present(here.column(CAPTION_SOURCE))}

    def metadata(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Row id and further columns of every row."""
        here = self._generation
        return zip(here.ids.tolist(), here.fields["metadata"].rows(), strict=True)

    def metadata_examples(self, but: int | None = None) -> Iterator[dict[str, Any]]:
        """Values of further columns of which every type is one that the rows have: few, however many rows there are.

        Args:
            but: Id of a row that does not count.
        """
        here = self._generation
        return here.fields["metadata"].examples(None if but is None else int(here.positions([but])[0]))

    def ids_of(self, images: Collection[str], photos: Collection[str]) -> IdArray:
        """Ids of the rows that have one of these names, or are of one of these photos (hex SHA-256): int64, rising."""
        read = self._generation.read(["image", "image_sha256"])
        among = (
            pc.is_in(column, pa.array(sorted(wanted), column.type))
            for column, wanted in zip(read.values(), (images, photos), strict=True)
        )
        at = pc.indices_nonzero(pc.or_(*among))
        return self._generation.ids[np.from_dlpack(at).astype(np.int64)]

    def photos_by_image(self) -> dict[str, tuple[str, str]]:
        """Row name → (SHA-256 of the photo, subject) of every row; of several rows of one name the newest."""
        read = self._generation.read(["image", "image_sha256", "subject_id"])
        images, photos, subjects = (column.to_pylist() for column in read.values())
        return dict(zip(images, zip(photos, subjects, strict=True), strict=True))

    def near_duplicates(self, block: str, threshold: float, first: int = 0) -> tuple[list[NearDuplicate], int]:
        """Rows whose block is very like an older row's: see `indexer.duplicates.near_duplicates`."""
        return near_duplicates(self._generation, block, threshold, first)

    def count_from(self, first: int) -> int:
        """How many rows have an id of `first` or more."""
        ids = self._generation.ids
        return len(ids) - int(np.searchsorted(ids, first))

    def quarantined(self) -> list[QuarantineRecord]:
        """The photos that could not be enrolled and have not been since, one record each."""
        return list(self._generation.quarantine.values())

    def removed(self) -> frozenset[str]:
        """Digests of what was deleted for good: photos, or photo and subject (`indexer.rows.removed_key`)."""
        return self._generation.removed

    def is_removed(self, photo: str, subject_id: str) -> bool:
        """Whether a photo (hex SHA-256) was deleted for good, of everybody or of this subject: see `Writer.delete`."""
        gone = self._generation.removed
        return photo in gone or removed_key(photo, subject_id) in gone

    def rows(self, ids: Sequence[int] | IdArray, *, chips: bool = True, crops: bool = False) -> list[Row]:
        """The rows of the given ids, in that order.

        Args:
            ids: Row ids; one may appear twice.
            chips: False leaves the aligned faces on disk, which is faster.
            crops: True reads the crops with a margin too (`Row.face.crop`).

        Raises:
            UnknownRowError: A row is not there.
        """
        return self._generation.rows(ids, chips=chips, crops=crops)

    def vectors(self, ids: Sequence[int] | IdArray) -> FloatArray:
        """The concatenated blocks of the given rows: float32 [n, D_total], a copy.

        Raises:
            UnknownRowError: A row is not there.
        """
        here = self._generation
        return here.vectors[here.positions(ids)]

    def split(self, vectors: FloatArray) -> dict[str, FloatArray]:
        """Cut concatenated vectors [..., D_total] into their blocks: name → view [..., D_block]."""
        return self.contract.split(vectors)

    def refresh(self) -> bool:
        """Move to the newest committed state, where others have committed since; answers at work keep theirs.

        Returns:
            Whether it moved.

        Raises:
            IndexerError: As `open`, or there is another index at this path now.
        """
        committed = manifest.read_manifest(self.path)
        if committed.index_id != self.index_id:
            raise IndexerError(str(self.path), found=f"index {committed.index_id}", expected=self.index_id)
        committed = self._seen(committed)
        moves = committed.generation > self.generation
        if moves:
            self._move_to(committed)
        return moves

    def load(self) -> Store:
        """Read the vectors and build the search structure now, not with the first search; returns this store.

        Raises:
            MissingFaissError: The backend needs FAISS.
            DamagedIndexError: The vectors cannot be read.
        """
        _ = self._at.everything
        return self

    def search(self, queries: FloatArray, k: int, *, where: str | None = None) -> tuple[IdArray, FloatArray]:
        """The k rows with the largest inner product, exactly; equal scores by smaller row id.

        Args:
            queries: float32 [Q, D_total]; weights are the query's own, its norm is free.
            k: 1 or more.
            where: Search only rows for which this is true, for instance `site = 'A' and enrolled_at >= 2024-01-01`;
                see `indexer.filters.parse`. It is applied first: the answer is that of an index of these rows alone.

        Returns:
            Row ids int64 [Q, k] and scores float32 [Q, k], best first; -1 and -inf where the index has fewer rows.

        Raises:
            BadVectorError: A query is not finite or of another dimension.
            FilterError: `where` is no filter, names a column that is not there, or compares it with another type.
            MissingFaissError, DamagedIndexError: As `load`.
        """
        queries = check_queries(queries, k, self.contract.dim)
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        gallery = self._gallery(where)
        for number, (positions, found) in enumerate(gallery.ranker.rows(queries, k)):
            ids[number, : len(positions)] = gallery.ids[positions]
            scores[number, : len(positions)] = found
        return ids, scores

    def search_subjects(
        self, queries: FloatArray, k: int, aggregate: Literal["max", "mean"] = "max", *, where: str | None = None
    ) -> list[list[SubjectHit]]:
        """The k best subjects for each query, exactly; equal scores by smaller row id.

        Args:
            queries: As `search`.
            k: 1 or more; all subjects where there are fewer.
            aggregate: A subject's score: its best row's, or the mean over its rows.
            where: As `search`; a subject's rows that it leaves out do not count.

        Raises:
            BadVectorError, FilterError, MissingFaissError, DamagedIndexError: As `search`.
        """
        queries = check_queries(queries, k, self.contract.dim)
        if aggregate not in ("max", "mean"):
            raise IndexerError("aggregate", found=repr(aggregate), expected="'max' or 'mean'")
        here = self._at
        gallery, names = here.gallery(where), here.generation.subjects[1]
        rank = gallery.ranker.subjects_by_best_row if aggregate == "max" else gallery.ranker.subjects_by_mean
        return [
            [
                SubjectHit(names[gallery.subjects[position]], int(gallery.ids[position]), float(score))
                for position, score in zip(positions, scores, strict=True)
            ]
            for positions, scores in rank(queries, k, gallery.subjects)
        ]

    def searched(self, where: str | None = None) -> int:
        """How many rows a search with this filter ranks.

        Raises:
            FilterError, DamagedIndexError: As `search`.
        """
        return len(self) if where is None else len(self._gallery(where).ids)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Hold the writer's lock and change the index; what is not committed in the block is discarded.

        On entry and on exit this store moves to the newest generation.

        Raises:
            IndexLockedError: Somebody else is writing; names the owner.
            IndexerError: As `open`, if the index at this path is no longer what it was.
        """
        with lock.hold(self.path):
            committed = manifest.read_manifest(self.path)
            if committed.index_id != self.index_id:
                raise IndexerError(str(self.path), found=f"index {committed.index_id}", expected=self.index_id)
            writer = Writer(self.path, self._seen(committed))
            self._move_to(writer.committed)
            try:
                yield writer
            finally:
                writer.close()
                self._move_to(writer.committed)

    def _gallery(self, where: str | None) -> Searched:
        return self._at.gallery(where)

    def _seen(self, committed: Manifest) -> Manifest:
        """A newer state through this store's space."""
        own = committed.contracts.get(self.contract.space_id)
        if own is None:
            raise IndexerError(
                f"space {self.contract.space_id} of {self.path}",
                found="it was dropped",
                expected="a space of the index",
                do="open the index again",
            )
        return committed.through(own)

    def _move_to(self, committed: Manifest) -> None:
        if committed.generation != self.generation:
            self._at = self._at.followed_by(committed)


def _need_empty(path: Path) -> None:
    if (path / MANIFEST_NAME).exists():
        raise IndexExistsError(
            str(path), found="an index", expected="no index yet", do="open it, or choose another path"
        )
    # A killed `create` leaves these behind; nothing was lost with them.
    harmless = {lock.LOCK_NAME, io.TMP_PREFIX + MANIFEST_NAME}
    others = sorted(entry.name for entry in path.iterdir() if entry.name not in harmless)
    if others:
        raise IndexExistsError(
            str(path),
            found=f"a directory with {', '.join(others[:5])}",
            expected="an empty one",
            do="choose another path",
        )


def _fitting(committed: Manifest, contract: Contract, index: str) -> Manifest:
    """A state through the space that a contract fits."""
    for own in committed.contracts.values():
        if own.accepts(contract):
            return committed.through(own)
    committed.contract.require(contract, index)
    return committed
