"""A directory that appears whole or not at all: built under another name beside its place, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer import io, lock
from indexer.errors import IndexerError, IndexExistsError
from indexer.manifest import MANIFEST_NAME


@contextmanager
def new_directory(target: Path, needed: int) -> Iterator[Path]:
    """Build a directory of files: yields where to write them; when the block ends well they appear at `target`.

    What a killed run left is removed by the next one to the same target.

    Args:
        target: Where there is nothing yet.
        needed: Bytes that will be written; the disk must have them free.

    Raises:
        IndexExistsError: There is something at `target` already.
        IndexLockedError: Another process builds the same target.
        DiskFullError, StorageError: The system refused; there is nothing at `target`.
    """
    need_nothing(target)
    target = target.absolute()
    if (target.parent / MANIFEST_NAME).exists():
        raise IndexExistsError(
            str(target), found="a path inside an index", expected="one outside it", do="choose another path"
        )
    io.need_space(target, needed)
    building = target.with_name(io.TMP_PREFIX + target.name)
    io.make_directory(building)
    with lock.hold(building):
        _empty(building)
        try:
            yield building
        except BaseException:
            with suppress(IndexerError):  # the work's own error must not be hidden by it
                _empty(building)
            raise
        need_nothing(target)  # another process may have been faster
        io.remove_file(building / lock.LOCK_NAME)
        io.replace_directory(building, target)


def need_nothing(target: Path) -> None:
    """Refuse a target where there is anything but an empty directory.

    Raises:
        IndexExistsError: Says what is there.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise IndexExistsError(str(target), found="a file", expected="no such path, or an empty directory")
    if (target / MANIFEST_NAME).exists():
        raise IndexExistsError(
            str(target), found="an index", expected="no such path", do="choose another path, or move the index away"
        )
    if names := sorted(entry.name for entry in target.iterdir()):
        raise IndexExistsError(
            str(target),
            found=f"a directory with {', '.join(names[:5])}",
            expected="no such path, or an empty directory",
            do="choose another path",
        )


def _empty(directory: Path) -> None:
    io.remove_files(path for path in sorted(directory.iterdir()) if path.name != lock.LOCK_NAME)
