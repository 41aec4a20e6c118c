"""The commands that keep an index: change rows, put it in order, copy it, check it. Exit codes as in `cli.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import DEFAULT_INDEX, PARTIAL, Index, Json, MilvusCollection, MilvusUri, Out
from tgfr_search.audit.entries import Act
from tgfr_search.audit.journal import Indexed, change, index_of
from tgfr_search.errors import InputError

Where = Annotated[Path, typer.Argument(envvar="TGFR_INDEX", help="Index directory.")]


def delete(
    row: Annotated[
        list[int] | None, typer.Option(help="Row id, with what other faces its photo has; may be given several times.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="All rows of this subject.")] = None,
    image_sha256: Annotated[str | None, typer.Option(help="All rows of the photo with this hex SHA-256.")] = None,
    index: Index = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Delete rows: no query finds them any more. `purge` then removes them from the disk.

    The SHA-256 of their photos is remembered: a later `index` leaves them out, unless `index --again` asks for them.
    """
    from indexer import Store
    from pipelines.enrol.rows.edit import delete_rows

    store = Store.open(index)
    deleted, forms = delete_rows(
        store, rows=row or (), subject=subject, image_sha256=image_sha256, journal=make_journal(audit)
    )
    told = {"subjects": forms} if len(forms) > 1 else {}
    _tell(
        {"index": str(index), "generation": store.generation, "deleted": deleted, "rows": len(store), **told}, as_json
    )


def update(
    row: Annotated[int, typer.Argument(help="Row id.")],
    subject: Annotated[str | None, typer.Option(help="Whose face it is.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Metadata NAME=VALUE, in the column's type; in a new column a JSON value as one, else text."
        ),
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(help="Metadata to remove, by name.")] = None,
    index: Index = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Change a row's subject or metadata; it keeps its id, vectors and captions."""
    from indexer import Store
    from pipelines.enrol.rows.edit import update_row

    store = Store.open(index)
    changed = update_row(
        store, row, subject=subject, assigned=set_ or (), unset=unset or (), journal=make_journal(audit)
    )
    values = {"row_id": row, "subject_id": changed.subject_id, "metadata": dict(changed.metadata)}
    _tell({"index": str(index), "generation": store.generation, **values}, as_json)


def compact(index: Where = DEFAULT_INDEX, audit: Audit = None, as_json: Json = False) -> None:
    """Write segments anew without deleted rows, small ones joined; readers at work are not disturbed."""
    from indexer import Store
    from indexer import compact as compact_index

    store = Store.open(index)
    _tell_upkeep(_logged(audit, Act.COMPACT, store, lambda: compact_index(store).as_dict()), as_json)


def purge(
    index: Where = DEFAULT_INDEX,
    over_case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Also remove what this open case needs: its searches can then not be repeated; may be given several "
            "times. A case on legal hold is never gone over.",
        ),
    ] = None,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Remove deleted rows from the disk for good and write a proof of it; snapshots made before are not touched.

    What open cases need to repeat their searches stays, and the cases are named; exit code 3 where that keeps a
    deleted row on the disk.
    """
    from indexer import Store
    from indexer import purge as purge_index

    store = Store.open(index)
    values = _logged(audit, Act.PURGE, store, lambda: purge_index(store, over=over_case or ()).as_dict())
    _tell_upkeep(values, as_json)
    if values["rows_kept"]:
        raise typer.Exit(PARTIAL)


def snapshot(
    target: Annotated[Path, typer.Argument(help="Folder to write.")],
    index: Index = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Copy an index as it is now; the copy is an index too."""
    from indexer import Store
    from indexer import snapshot as snapshot_index

    store = Store.open(index)
    _tell(_logged(audit, Act.SNAPSHOT, store, lambda: snapshot_index(store, target).as_dict()), as_json)


def restore(
    source: Annotated[Path, typer.Argument(metavar="SNAPSHOT", help="What `snapshot` wrote.")],
    out: Out = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Make an index from a snapshot; an index that is there is never written over."""
    from indexer import restore as restore_index

    _tell(_logged(audit, Act.RESTORE, None, lambda: restore_index(source, out).as_dict()), as_json)


def export(
    target: Annotated[Path, typer.Argument(help="Folder to write.")],
    index: Index = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Write the rows as plain Parquet with a JSON manifest, for any program."""
    from indexer import Store, export_index

    store = Store.open(index)
    with change(make_journal(audit), Act.EXPORT, index_of(store)) as told_log:
        values = export_index(store, target).as_dict()
        told_log |= {"rows": len(store)}
    _tell(values, as_json)


def import_(
    source: Annotated[Path, typer.Argument(metavar="EXPORT", help="What `export` wrote.")],
    out: Out = DEFAULT_INDEX,
    model: Annotated[
        str | None, typer.Option(help="Refuse vectors that this model (shipped name or folder) has not made.")
    ] = None,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Make a new index from an export; rows keep their ids."""
    from indexer import import_index

    contract = None
    if model is not None:
        from pipelines.enrol.index import contract_of
        from tgfr_search.model.checkpoint import load_model

        contract = contract_of(load_model(model, device="cpu"))
    _tell(_logged(audit, Act.IMPORT, None, lambda: import_index(source, out, contract).as_dict()), as_json)


def publish(
    index: Where = DEFAULT_INDEX,
    milvus_uri: MilvusUri = None,
    milvus_collection: MilvusCollection = None,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Bring a Milvus collection to the state of an index, for other machines to search; see docs/scale.md."""
    from indexer import Store
    from indexer.milvus import Server
    from indexer.milvus import publish as publish_index

    if milvus_uri is None:
        raise InputError("publish", found="no address", expected="--milvus-uri http://HOST:19530 (or $TGFR_MILVUS_URI)")
    store, server = Store.open(index), Server(milvus_uri)
    with console.progress("publishing", quiet=as_json) as progress:
        values = _logged(
            audit, Act.PUBLISH, store, lambda: publish_index(store, server, milvus_collection, progress).as_dict()
        )
    _tell(values, as_json)


def verify(
    index: Where = DEFAULT_INDEX,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove stray files of killed writers; nothing that holds data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every byte of an index; exits 0 only when it is whole."""
    from dataclasses import asdict

    from indexer import repair as repair_index
    from indexer import verify as verify_index

    repaired: tuple[str, ...] = ()
    if repair:
        result = repair_index(index)
        repaired, report = result.repaired, result.report
    else:
        report = verify_index(index)

    def show() -> None:
        for line in repaired:
            console.say(f"repaired: {line}")
        console.say(f"{report.files} files, {report.bytes} bytes, {report.rows} rows")
        for line in (*(f"PROBLEM: {p}" for p in report.problems), *(f"note: {n}" for n in report.notes)):
            console.say(line)
        console.say("whole" if report.ok else "DAMAGED: restore it from a copy, or enrol the gallery again")

    told = {"repaired": list(repaired)} if repair else {}
    console.emit({**asdict(report), "ok": report.ok, **told}, as_json, show)
    if not report.ok:
        raise typer.Exit(PARTIAL if repaired else 2)


def _logged(audit: Path | None, act: Act, index: Indexed | None, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The report of a change that is told to a log: its numbers and the index's id, never a path, which may be a name.

    Args:
        audit: Folder of the log, or None.
        act: What changes.
        index: Before it; None where there is none.
        work: Makes the change and its report.
    """
    with change(make_journal(audit), act, {} if index is None else index_of(index)) as told:
        values = work()
        told |= {name: value for name, value in values.items() if isinstance(value, int) or name == "index_id"}
        cases = {name: [each["case"] for each in values.get(name) or ()] for name in ("held_by", "gone_over")}
        told |= {name: ids for name, ids in cases.items() if ids}
    return values


def _tell_upkeep(values: dict[str, Any], as_json: bool) -> None:
    """As `_tell`, and a line for each case that holds something, or holds it no more."""
    meanings = {"held_by": "needs what was replaced", "gone_over": "was gone over: it cannot be repeated any more"}

    def show() -> None:
        console.pairs({name: value for name, value in values.items() if name not in meanings})
        for name, meaning in meanings.items():
            for each in values.get(name, ()):
                searches, rows = ", ".join(each["searches"]), each["rows_deleted"]
                own = f", of its candidates {', '.join(map(str, each['candidates']))}" if each["candidates"] else ""
                console.say(
                    f"case {each['case']}, search {searches}, {meaning}; deleted rows in it: {rows}{own}"
                    + ("; on legal hold" if each["legal"] else "")
                )

    console.emit(values, as_json, show)


def _tell(values: dict[str, Any], as_json: bool) -> None:
    console.emit(values, as_json, lambda: console.pairs(values))
