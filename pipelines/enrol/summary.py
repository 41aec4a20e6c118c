"""What a run of `index` tells: counts for everybody, and the names behind every count for who asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from indexer import Store, caches
from pipelines.enrol.near_duplicates import SHOWN
from tgfr_search.types import LEAD_NOTICE

LAST_RUN = "last-index-run.json"


@dataclass
class IndexSummary:
    """What a run of `index` did; the JSON of the command. Of names, each list has the first few; see `names_of`.

    Attributes:
        index: Directory.
        index_id: UUID of the index.
        generation: Commits behind it now.
        model_id: What encoded.
        enrolled: Rows added by this run.
        unchanged: Images that were enrolled already, with the same bytes, subject and captions.
        replaced: Of the added rows, those that took the place of an older row of the same name.
        renamed: Of the added rows, those that took the place of a row whose photo (same bytes, same subject) has this
            other name now.
        renamed_images: Each with the old name and the new one.
        withdrawn: Rows that were deleted because the photo under their name is another one now, which cannot be
            enrolled.
        withdrawn_images: Their names.
        outdated: Rows that are kept as they were enrolled, though something else is said of their photo now: it could
            not be encoded anew, and why is in quarantine.
        outdated_images: Their names.
        gone: Rows whose photo is not in the gallery any more; they are kept and go on answering, unless pruned.
        gone_images: Their names.
        pruned: Of the rows whose photo is gone, those that this run deleted (`--prune`).
        unread: Rows that are kept because their photo, or what the gallery says of it, could not be read this time.
        unread_images: Their names.
        removed: Photos that were deleted from the index by request earlier, and left out for that (see `--again`).
        removed_images: Their names.
        duplicates: Images that are a copy, byte for byte, of another of the same subject and metadata; they are one row
            with the captions of all.
        duplicate_images: Each with the name that is kept.
        several_subjects: Photos in the index that are enrolled, byte for byte, under more than one subject.
        several_subjects_images: Of each such photo, row names and subjects.
        several_faces: Photos of this run that show more than one face; the largest is enrolled, or all are.
        several_faces_images: Their names.
        truncated: Photos of this run whose file is cut off, and whose face lies in what is there of it.
        truncated_images: Their names.
        near_duplicates: Rows of this run that are so like an older row that they may be the same photo, saved again;
            all are kept. None where there are too many rows to look for them in every run.
        near_duplicate_rows: The most similar of them, each with the older row's name and their cosine.
        quarantined: Reason code → images that are in quarantine now.
        ignored: Files of the gallery folder that are no images, hidden, or in a folder of the system.
        ignored_files: Their paths.
        notes: What was read otherwise than it was written, or seems meant and was not read, for a person.
        without_caption: Rows of this run without a caption.
        auto_captioned: Rows of this run whose caption the attribute model wrote.
        captions_truncated: Caption lines of this run that were longer than the text encoder reads.
        auto_captions: Attribute model → rows in the index now whose caption it wrote.
        rows: Rows in the index now.
        subjects: Subjects in the index now.
        seconds: Wall time of the run.
        notice: What scores mean.
    """

    index: str
    index_id: str = ""
    generation: int = 0
    model_id: str = ""
    enrolled: int = 0
    unchanged: int = 0
    replaced: int = 0
    renamed: int = 0
    renamed_images: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: int = 0
    withdrawn_images: list[str] = field(default_factory=list)
    outdated: int = 0
    outdated_images: list[str] = field(default_factory=list)
    gone: int = 0
    gone_images: list[str] = field(default_factory=list)
    pruned: int = 0
    unread: int = 0
    unread_images: list[str] = field(default_factory=list)
    removed: int = 0
    removed_images: list[str] = field(default_factory=list)
    duplicates: int = 0
    duplicate_images: list[tuple[str, str]] = field(default_factory=list)
    several_subjects: int = 0
    several_subjects_images: list[list[tuple[str, str]]] = field(default_factory=list)
    several_faces: int = 0
    several_faces_images: list[str] = field(default_factory=list)
    truncated: int = 0
    truncated_images: list[str] = field(default_factory=list)
    near_duplicates: int | None = 0
    near_duplicate_rows: list[dict[str, Any]] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    ignored: int = 0
    ignored_files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_caption: int = 0
    auto_captioned: int = 0
    captions_truncated: int = 0
    auto_captions: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    subjects: int = 0
    seconds: float = 0.0
    notice: str = LEAD_NOTICE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; at most `SHOWN` names of each kind."""
        return {name: value[:SHOWN] if isinstance(value, list) else value for name, value in asdict(self).items()}

    def counts(self) -> dict[str, Any]:
        """`as_dict` without the lists of names and the notes."""
        return {name: value for name, value in self.as_dict().items() if name not in (*NAMES, "notes")}


NAMES = tuple(each.name for each in fields(IndexSummary) if each.name.endswith(("_images", "_files")))
"""The lists of names of a summary."""


def keep_names(store: Store, summary: IndexSummary) -> None:
    """Keeps every name that a run has to tell among the caches of its index, until the next run or a purge."""
    values = {"generation": store.generation, **{name: getattr(summary, name) for name in NAMES}}
    caches.note(store.path, store.manifest, LAST_RUN, json.dumps(values).encode())


def names_of(store: Store, name: str) -> list[Any] | None:
    """The whole list of names of that kind that the last run of `index` told of; None where none is kept.

    Args:
        store: The index.
        name: One of `NAMES`.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads((store.path / caches.CACHE_NAME / LAST_RUN).read_bytes())[name])
    return None


def several_subjects(store: Store) -> list[list[tuple[str, str]]]:
    """Photos that are enrolled, byte for byte, under more than one subject: (row name, subject) of the rows of each."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for image, (photo, subject) in store.photos_by_image().items():
        rows.setdefault(photo, []).append((image, subject))
    return sorted(sorted(own) for own in rows.values() if len({subject for _, subject in own}) > 1)


def shortened(names: Sequence[Any]) -> str:
    """The first names on one line; a pair as `one → other`, rows of one photo as `name (subject) = name (subject)`."""
    return ", ".join(map(_told, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _told(name: Any) -> str:
    if isinstance(name, list):
        return " = ".join(f"{image} ({subject})" for image, subject in name)
    return " → ".join(name) if isinstance(name, tuple) else str(name)
