"""What comes in to be enrolled: photos, or a ZIP of a gallery folder, read without trusting a name or a size in it."""

from __future__ import annotations

import io
import json
import stat
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import UploadFile

from tgfr_search.app.service.job import Upload
from tgfr_search.app.service.problems import Problem
from tgfr_search.data.records import read_records
from tgfr_search.data.rows import Problem as RowProblem
from tgfr_search.errors import FaceError, TgfrError
from tgfr_search.faces.decode import MAX_BYTES, read_bytes
from tgfr_search.names import canonical

ZIP_BEGINS = b"PK\x03\x04"
MOST_FILES = 10_000
MOST_UNPACKED = 1 << 30
"""Bytes of all files of a ZIP together."""


def read_uploads(
    files: Sequence[UploadFile], subject: str, captions: Sequence[str], incoming: Path
) -> tuple[list[Upload], list[str]]:
    """The photos of a request.

    Args:
        files: As they came; what begins as a ZIP is one, whatever its name.
        subject: Whose face the photos show that come by themselves.
        captions: What is said of them.
        incoming: Folder in which a ZIP is unpacked for as long as it is read.

    Returns:
        (photos, what was left out and why).

    Raises:
        Problem: A file is empty, a ZIP is none or would write elsewhere or is too large, or nobody says whose they are.
    """
    found, notes = list[Upload](), list[str]()
    whose = canonical(subject).strip()
    for at, file in enumerate(files, start=1):
        data = file.file.read()
        if not data:
            raise Problem(422, "empty_file", f"file {at} of {len(files)} is empty; nothing was received")
        if data[:4] == ZIP_BEGINS:
            photos, left = _unpacked(data, incoming)
            found += photos
            notes += left
            continue
        if not whose:
            raise Problem(422, "no_subject", "found no subject", "say whose face the photos show, or send a ZIP")
        shown = PurePosixPath((file.filename or "").replace("\\", "/")).name[:200]
        found.append(Upload(shown, data, whose, tuple(captions)))
    return found, notes


def _unpacked(data: bytes, incoming: Path) -> tuple[list[Upload], list[str]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise Problem(422, "bad_zip", f"found a ZIP that cannot be read: {error}") from error
    with archive, tempfile.TemporaryDirectory(dir=incoming) as folder:
        root = Path(folder)
        for entry in _checked(archive.infolist()):
            path = root.joinpath(*PurePosixPath(entry.filename).parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(archive, entry))
        return _read(root)


def _checked(entries: Sequence[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The files of a ZIP, whose names lie below it and whose sizes are allowed.

    Raises:
        Problem: Not all do, or are.
    """
    files = [each for each in entries if not each.is_dir()]
    if len(files) > MOST_FILES:
        raise Problem(413, "too_many_files", f"found {len(files):,} files in a ZIP; expected at most {MOST_FILES:,}")
    if sum(each.file_size for each in files) > MOST_UNPACKED:
        raise Problem(413, "too_many_bytes", f"a ZIP that unpacks to more than {MOST_UNPACKED:,} bytes")
    for each in files:
        name = each.filename
        parts = PurePosixPath(name).parts
        odd = not parts or name.startswith("/") or "\\" in name or "\0" in name or ":" in parts[0]
        if odd or any(part in ("..", ".") or len(part.encode()) > 200 for part in parts) or len(parts) > 8:
            raise Problem(422, "bad_zip", f"found the name {name[:80]!r} in a ZIP; expected names below it")
        if stat.S_ISLNK(each.external_attr >> 16):
            raise Problem(422, "bad_zip", f"found a link, {name[:80]!r}, in a ZIP; expected files")
        if each.flag_bits & 1:
            raise Problem(422, "bad_zip", f"found an encrypted file, {name[:80]!r}, in a ZIP")
    return files


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A file's bytes, no more than its entry says, and than a photo may have.

    Raises:
        Problem: They cannot be read, or there are more.
    """
    limit = min(entry.file_size, MAX_BYTES)
    try:
        with archive.open(entry) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise Problem(422, "bad_zip", f"found {entry.filename[:80]!r} damaged in a ZIP: {error}") from error
    except Exception as error:  # zlib, lzma and bz2 have errors of their own
        raise Problem(422, "bad_zip", f"found {entry.filename[:80]!r} damaged in a ZIP") from error
    if len(data) > limit:
        raise Problem(413, "too_many_bytes", f"{entry.filename[:80]!r} in a ZIP is larger than {limit:,} bytes")
    return data


def _read(root: Path) -> tuple[list[Upload], list[str]]:
    """The photos of an unpacked gallery folder: subject by folder, captions by its table, as `index` reads them."""
    problems = list[RowProblem]()
    try:
        records = list(read_records(root, on_problem=problems.append))
    except TgfrError as error:
        told = str(error).replace(str(root), "the ZIP")
        raise Problem(422, "bad_zip", f"found no gallery in a ZIP: {told}") from error
    found, notes = list[Upload](), [f"{each.name}: {each.detail}".replace(str(root), "the ZIP") for each in problems]
    for record in records:
        try:
            data = record.data if record.data is not None else read_bytes(str(record.path))
        except FaceError as error:
            notes.append(f"{record.name}: {error.detail}".replace(str(root), "the ZIP"))
            continue
        metadata: dict[str, Any] = json.loads(json.dumps(dict(record.metadata)))
        subject = str(record.subject_id)
        found.append(Upload(record.name, data, subject, record.captions, tuple(metadata.items())))
    return found, notes
