"""A case that somebody else exported: looked at by our own verifier before anything of it is believed."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tgfr_search.audit import verify
from tgfr_search.errors import InputError

VERIFIER = "verify.py"
AS_EXPORTED = "an export as `case export` writes it"


@dataclass(frozen=True)
class Imported:
    """What came in.

    Attributes:
        folder: The bag, unpacked; it is read, never written to: the key that signs stayed where the case is kept.
        files: In it.
        notes: What the verifier says beside that it is whole.
    """

    folder: Path
    files: int
    notes: tuple[str, ...]


def receive_export(source: Path, folder: Path) -> Imported:
    """Unpacks an export into a new folder, once it is whole.

    Args:
        source: The zip.
        folder: New.

    Raises:
        InputError: It is no export, a member would leave the folder, its verifier is not ours, or it is not whole;
            nothing is left.
    """
    if folder.exists():
        raise InputError(f"{folder}", found="something", expected="no folder", do="name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    passing = folder.with_name(f".{folder.name}.import")
    shutil.rmtree(passing, ignore_errors=True)
    try:
        count = _unpack(source, passing)
        _need_our_verifier(source, passing)
        report = verify.check_folder(passing)
        if report.problems:
            do = "ask for a new export; this one is not to be relied on"
            raise InputError(f"{source}", found=report.problems[0], expected="an export that is whole", do=do)
        passing.rename(folder)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
    return Imported(folder, count, tuple(report.notes))


def _unpack(source: Path, folder: Path) -> int:
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            for member in members:
                _check(source, member)
            archive.extractall(folder)
    except OSError as error:
        raise InputError(f"{source}", found=error.strerror or str(error), expected=AS_EXPORTED) from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise InputError(f"{source}", found=f"no whole zip: {error}", expected=AS_EXPORTED) from error
    return len(members)


def _check(source: Path, member: zipfile.ZipInfo) -> None:
    """Refuses a member that would not stay in the folder, or would be more than it says: exports compress nothing."""
    path = PurePosixPath(member.filename)
    outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]
    link = stat.S_ISLNK(member.external_attr >> 16)
    if outside or link or member.compress_type != zipfile.ZIP_STORED or member.is_dir():
        raise InputError(f"{source}", found=f"a member {member.filename!r}", expected=AS_EXPORTED)


def _need_our_verifier(source: Path, folder: Path) -> None:
    ours = Path(str(verify.__file__)).read_bytes()
    path = folder / VERIFIER
    if not path.is_file() or path.read_bytes() != ours:
        raise InputError(
            f"{source}: {VERIFIER}",
            found="another than that of this version" if path.is_file() else "none",
            expected="the verifier of this version, byte for byte: a changed one would call anything whole",
            do="export again with this version; or unpack it and run `tgfr-search audit verify FOLDER`, which is ours",
        )
