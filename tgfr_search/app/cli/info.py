"""What `index` and `info` tell of an index: counts, and behind each count a way to the names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import DEFAULT_INDEX, Json
from tgfr_search.names import canonical_path

if TYPE_CHECKING:
    from indexer import Store
    from pipelines.enrol.summary import IndexSummary

MEANING = {
    "renamed_images": ("renamed, the old name and the new one", "--last-run"),
    "withdrawn_images": ("deleted: the photo of this name is another one now that cannot be enrolled", "--last-run"),
    "outdated_images": (
        "kept as they were: other words or data came, but the photo cannot be encoded anew",
        "--last-run",
    ),
    "gone_images": ("in the index, and no longer in the gallery; `index --prune` deletes them", "--gone"),
    "unread_images": ("kept as they were: the photo could not be read this time", "--last-run"),
    "removed_images": ("left out, for they were deleted from the index; `index --again` enrols them", "--last-run"),
    "duplicate_images": ("copies, joined with", "--duplicates"),
    "several_subjects_images": ("the same photo under several subjects", "--duplicates"),
    "several_faces_images": ("show several faces; the largest is enrolled", "--several-faces"),
    "truncated_images": ("are files that were cut off; the face is in what is there", "--last-run"),
    "ignored_files": ("no photos of the gallery, passed over", "--ignored"),
}
"""List of names of a run → what it says of them, and the option of `info` that names them all."""


def show_summary(summary: IndexSummary) -> None:
    """Prints what a run of `index` did: its counts, then the first names of each kind."""
    from pipelines.enrol.summary import shortened

    console.pairs(summary.counts())
    for name, (meaning, option) in MEANING.items():
        if names := getattr(summary, name):
            console.say(f"{len(names)} {meaning}: {shortened(names)} (all: info {option})")
    for note in summary.notes:
        console.say(f"note: {note}")
    if count := sum(summary.quarantined.values()):
        console.say(f"{count} in quarantine (names, reasons, details: info --quarantine)")


def info(
    index: Annotated[Path, typer.Argument(envvar="TGFR_INDEX")] = DEFAULT_INDEX,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also the content digest: equal for equal rows, whatever their history.")
    ] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Also rows that may be one photo saved twice; compares all rows.")
    ] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Name the photos in quarantine, each with reason and detail.")
    ] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Name copies that share a row, and photos under several subjects.")
    ] = False,
    gone: Annotated[bool, typer.Option("--gone", help="Name rows whose photo the last `index` did not find.")] = False,
    ignored: Annotated[bool, typer.Option("--ignored", help="Name files that the last `index` passed over.")] = False,
    several_faces: Annotated[
        bool, typer.Option("--several-faces", help="Name rows whose photo shows more than one face.")
    ] = False,
    last_run: Annotated[bool, typer.Option("--last-run", help="Every name that the last `index` told of.")] = False,
    as_json: Json = False,
) -> None:
    """What an index holds: rows, subjects, contract, quarantine; and the names behind the counts."""
    from indexer import Store

    store = Store.open(index)
    asked = {
        "quarantine": quarantine,
        "duplicates": duplicates,
        "gone": gone,
        "ignored": ignored,
        "several_faces": several_faces,
        "last_run": last_run,
    }
    named = {what: NAMED[what](store) for what, wanted in asked.items() if wanted}
    values = {**store.info(), "auto_captions": dict(Counter(store.caption_sources().values()))}
    if digest:
        values["digest"] = store.digest()
    if near_duplicates:
        from pipelines.enrol.near_duplicates import find_alike

        values["near_duplicates"] = find_alike(store, at_most=len(store) ** 2).as_dict()

    def show() -> None:
        if not named or digest or near_duplicates:
            console.pairs(values)
        for what, found in named.items():
            _show_names(what, found)

    console.emit({**values, **named}, as_json, show)


def _quarantine(store: Store) -> list[dict[str, str]]:
    records = sorted(store.quarantined(), key=lambda record: record.image)
    return [{"image": record.image, "reason": record.reason, "detail": record.detail} for record in records]


def _last(store: Store, name: str) -> list[Any] | None:
    from pipelines.enrol.summary import names_of

    return names_of(store, name)


def _duplicates(store: Store) -> dict[str, Any]:
    from pipelines.enrol.summary import several_subjects

    return {"copies": _last(store, "duplicate_images"), "several_subjects": several_subjects(store)}


def _gone(store: Store) -> list[str] | None:
    names, there = _last(store, "gone_images"), {canonical_path(name) for name in store.rows_by_image()}
    return None if names is None else [name for name in names if canonical_path(name) in there]


def _several_faces(store: Store) -> list[tuple[str, int]]:
    rows = store.rows([row_id for row_id, _ in store.rows_by_image().values()], chips=False)
    return [(row.image, faces) for row in rows if (faces := int(row.quality.get("faces") or 0)) > 1]


def _last_run(store: Store) -> dict[str, Any]:
    from pipelines.enrol.summary import NAMES

    return {name: _last(store, name) for name in NAMES}


NAMED = {
    "quarantine": _quarantine,
    "duplicates": _duplicates,
    "gone": _gone,
    "ignored": lambda store: _last(store, "ignored_files"),
    "several_faces": _several_faces,
    "last_run": _last_run,
}
"""What `info` can be asked to name → how that is found."""


COLUMNS = {
    "quarantine": ["image", "reason", "detail"],
    "copies": ["image", "kept"],
    "several_subjects": ["photos (image, subject)"],
    "several_faces": ["image", "faces"],
    "duplicate_images": ["image", "kept"],
    "renamed_images": ["image before", "image now"],
    "several_subjects_images": ["photos (image, subject)"],
}
"""What is named → the columns of its table; one column `image` where it is not here."""


def _show_names(what: str, found: Any) -> None:
    """A table of each kind of names that was asked for."""
    if isinstance(found, dict):
        for part, names in found.items():
            _show_names(part, names)
        return
    if found is None:
        console.say(f"{what}: not known (it is kept from the last `index` until a purge; run `index` again)")
        return
    columns = COLUMNS.get(what, ["image"])
    console.say(f"{what}: {len(found)}")
    if found:
        console.table(what, columns, [_cells(each, len(columns)) for each in found])


def _cells(each: Any, columns: int) -> list[Any]:
    if isinstance(each, dict):
        return list(each.values())
    if columns == 1 and isinstance(each, list | tuple):
        return ["; ".join(f"{image} ({subject})" for image, subject in each)]
    return list(each) if isinstance(each, list | tuple) else [each]
