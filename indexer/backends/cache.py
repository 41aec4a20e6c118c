"""Search structures on disk: disposable, checked byte by byte when read, made again when damaged, never the truth."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer import caches, io
from indexer.errors import IndexerError
from indexer.manifest import Manifest, canonical

_FORMAT = "tgfr-search-cache"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """The structures over the rows of one state, in the folder of caches of its index.

    A structure is two files: its bytes, and a JSON record with their SHA-256 that is written last. Whoever finds a
    record that does not agree with the bytes, or with the rows, has no cache.

    Attributes:
        index: The index.
        committed: The state.
    """

    index: Path
    committed: Manifest

    @property
    def key(self) -> str:
        """What the rows of the state are known by."""
        return caches.key_of(self.committed)

    def key_of(self, name: str) -> str | None:
        """What the rows are known by that a structure was kept for; None where there is none to be trusted."""
        try:
            record = self._record(name)
            return None if record is None else str(record["head"]["rows_key"])
        except (IndexerError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def load(
        self, name: str, settings: Mapping[str, Any], key: str | None = None
    ) -> tuple[bytes, dict[str, Any]] | None:
        """The bytes kept under `name` and what was said of them; None where there are none that can be trusted.

        Args:
            name: Of the backend.
            settings: JSON values that must be the same as when it was saved.
            key: Of the rows that it must have been kept for; None is those of the state.
        """
        data_path, _ = self._paths(name)
        try:
            record = self._record(name)
            if record is None or record["head"] != self._head(name, settings, key or self.key):
                return None
            data = io.read_file(data_path)
            if len(data) != record["size"] or hashlib.sha256(data).hexdigest() != record["sha256"]:
                raise ValueError("bytes that do not agree with the record")
            return data, dict(record["notes"])
        except (IndexerError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning("%s is damaged (%s) and is made again", data_path, error)
            return None

    def save(self, name: str, settings: Mapping[str, Any], data: bytes, notes: Mapping[str, Any]) -> None:
        """Keep bytes under `name`, in place of older ones; where the disk refuses, the search goes on without a cache.

        Args:
            name: As `load`.
            settings: As `load`.
            data: The structure.
            notes: JSON values to keep with it, for instance its measured recall.
        """
        data_path, record_path = self._paths(name)
        record = {
            "head": self._head(name, settings, self.key),
            "notes": dict(notes),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
        try:
            with caches.writing(self.index, self.committed) as allowed:
                if not allowed:
                    _LOG.warning("the search structure is not kept: the index is being changed, or has been")
                    return
                io.write_file(data_path, data)
                digest = hashlib.sha256(canonical(record)).hexdigest()
                io.write_file(record_path, canonical({**record, "digest": digest}))
        except IndexerError as error:
            _LOG.warning("the search structure is not kept: %s", error)

    def _record(self, name: str) -> dict[str, Any] | None:
        path = self._paths(name)[1]
        if not path.is_file():
            return None
        record: dict[str, Any] = json.loads(io.read_file(path))
        digest = record.pop("digest")
        if digest != hashlib.sha256(canonical(record)).hexdigest():
            raise ValueError("a record that does not agree with its own digest")
        return record

    def _head(self, name: str, settings: Mapping[str, Any], key: str) -> dict[str, Any]:
        return {"format": _FORMAT, "backend": name, "rows_key": key, "settings": dict(settings)}

    def _paths(self, name: str) -> tuple[Path, Path]:
        folder = self.index / caches.CACHE_NAME
        return folder / f"{name}.bin", folder / f"{name}.json"


def described(index: Path, committed: Manifest) -> list[dict[str, Any]]:
    """What is said of each structure kept at `index`: backend, recall, bytes, seconds to build.

    One that is not `of_these_rows` was built for an earlier state, of so many `rows`; where few have changed since, it
    is used, else made again.
    """
    told = []
    for path in caches.files(index):
        if path.suffix == ".json":
            try:
                record = json.loads(io.read_file(path))
                if record["notes"]:
                    same = record["head"]["rows_key"] == caches.key_of(committed)
                    told.append({"backend": record["head"]["backend"], "of_these_rows": same, **record["notes"]})
            except (IndexerError, ValueError, KeyError, TypeError):
                continue  # whoever needs it makes it again
    return told
