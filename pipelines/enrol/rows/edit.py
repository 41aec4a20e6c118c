"""Deleting and changing rows, told to a journal before and after; the same for commands, pages and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer import Row, Store
from indexer.filters.columns import OWN_COLUMNS
from pipelines.enrol.rows.fields import Fields
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Journal, change, index_of
from tgfr_search.errors import InputError
from tgfr_search.names import canonical, same_names


def delete_rows(
    store: Store,
    *,
    rows: Sequence[int] = (),
    subject: str | None = None,
    image_sha256: str | None = None,
    journal: Journal | None = None,
) -> tuple[int, list[str]]:
    """Deletes rows for good: no query finds them, and a later enrolment leaves their photos out.

    Args:
        store: The index.
        rows: Row ids; faces of one photo go together, for one alone would come back with it. Or
        subject: all rows of a subject, in each form of its name, or
        image_sha256: of a photo.
        journal: Where it is told.

    Returns:
        (rows deleted, forms of the subject's name).

    Raises:
        UnknownRowError: There are none.
        IndexerError: None or several of the three are given, or the index cannot be written.
        AuditError: The journal refuses.
    """
    with change(journal, Act.DELETE, index_of(store)) as told, store.writer() as writer:
        forms: list[str | None] = [None]
        if subject is not None:
            everybody = (who for _, who in store.photos_by_image().values())
            forms = list(same_names(subject, everybody)) or [subject]
        together = {i: ids for ids in store.row_ids_by_image().values() if len(ids) > 1 for i in ids} if rows else {}
        ids = sorted({i for each in rows for i in together.get(each, [each])})
        deleted = sum(
            writer.delete(row_ids=ids or None, subject_id=form, image_sha256=image_sha256, for_good=True)
            for form in forms
        )
        writer.commit()
        told |= {"rows": deleted, "generation": store.generation}
    return deleted, [form for form in forms if form is not None]


def update_row(
    store: Store,
    row: int,
    *,
    subject: str | None = None,
    assigned: Sequence[str] = (),
    unset: Sequence[str] = (),
    journal: Journal | None = None,
) -> Row:
    """Changes a row's subject or metadata; it keeps its id, vectors and captions.

    Args:
        store: The index.
        row: Its id.
        subject: Whose face it is.
        assigned: `NAME=VALUE` each, in the column's type; in a new column a JSON value as one, else text.
        unset: Metadata to remove, by name.
        journal: Where it is told.

    Returns:
        The row as it is now.

    Raises:
        InputError: A name or a value cannot be one.
        UnknownRowError: There is no such row.
        AuditError: The journal refuses.
    """
    # The writer's lock makes reading and writing the metadata one step.
    with change(journal, Act.UPDATE, index_of(store)) as told, store.writer() as writer:
        metadata = dict(store.rows([row], chips=False)[0].metadata)
        fields = Fields(store.metadata_examples(but=row))
        changes = dict(fields.assigned(text) for text in assigned)
        if own := [name for name in changes if name in OWN_COLUMNS or name.startswith("quality.")]:
            # By these names a filter asks for the row's own: whoever sets one most likely means that.
            do = "--subject ID changes whose face it is" if own == ["subject_id"] else "choose another name"
            raise InputError("--set", found=f"{own[0]}, which is the row's own", expected="a name of metadata", do=do)
        removed = _stored_names(unset, metadata, row)
        kept = {name: value for name, value in metadata.items() if name not in removed}
        whose = None if subject is None else canonical(subject)
        writer.update(row, subject_id=whose, metadata={**kept, **changes} if changes or unset else None)
        writer.commit()
        told |= {"row": row, "generation": store.generation}
    return store.rows([row], chips=False)[0]


def _stored_names(unset: Sequence[str], metadata: dict[str, Any], row: int) -> set[str]:
    gone = {name: same_names(name, metadata) for name in unset}
    if absent := [name for name, stored in gone.items() if not stored]:
        known = ", ".join(sorted(metadata)) or "none"
        raise InputError("--unset", found=", ".join(absent), expected=f"metadata of row {row}: {known}")
    return {name for stored in gone.values() for name in stored}
