"""What a case holds of the indexes that it searched: the generations that its searches need to be run again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indexer import IndexerError, NotAnIndexError, Store, holds
from pipelines.casework.case import refusals
from pipelines.casework.case.case import SEARCHES, Case
from tgfr_search.audit import retention
from tgfr_search.audit.entries import Act
from tgfr_search.types import QueryResult


def place(case: Case, store: object, name: str, result: QueryResult) -> bool:
    """Holds the generation that a search ranked, before the search is logged.

    Args:
        case: The case.
        store: What was searched, at that generation; of a Milvus collection nothing is held.
        name: Of the search.
        result: Its answer.

    Returns:
        Whether it is held; not where the index may only be read, or a purge was faster.
    """
    if not isinstance(store, Store):
        return False
    rows = [hit.row_id for hit in result.candidates]
    try:
        holds.place(store.path, store.manifest, case=case.id, search=name, rows=rows)
    except IndexerError:
        return False
    return True


def purged(case: Case, path: Path, name: str) -> str:
    """When a purge removed what a search of the case needs, UTC; empty where none did."""
    own = (hold for hold in holds.read_holds(path) if (hold.case, hold.search) == (case.id, name))
    return next((hold.purged for hold in own), "")


def is_on_legal_hold(case: Case) -> bool:
    """Whether the case is on legal hold: nothing of it may go."""
    return case.id in retention.held_cases(case.files.log)


def hold_legally(case: Case, *, actor: str, release: bool = False, more: Iterable[Path] = ()) -> list[Path]:
    """Puts a case on legal hold, its key and what it holds of indexes with it; or ends that.

    Args:
        case: The case.
        actor: Account.
        release: End it; of a closed case the indexes are held no more.
        more: Where else indexes are now.

    Returns:
        Indexes that could not be reached.

    Raises:
        AuditError: It could not be logged: nothing was changed.
    """
    retention.hold(case.files.log, case.id, actor=actor, release=release)
    ends = release and _is_closed(case)
    return _each(case, more, legal=None if ends else not release)[1]


def close(case: Case, *, actor: str, more: Iterable[Path] = ()) -> list[Path]:
    """Closes a case, and ends what it holds of indexes, unless it is on legal hold.

    Args:
        case: The case; where it is closed already, what it still holds is ended.
        actor: Account.
        more: Where else indexes are now.

    Returns:
        Indexes that could not be reached: they go on holding for it.

    Raises:
        InputError: It is closed already, and holds nothing.
        AuditError: It could not be logged.
    """
    was_closed = _is_closed(case)
    if not was_closed:
        case.close(actor=actor)
    if is_on_legal_hold(case):
        return []
    ended, missing = _each(case, more, legal=None)
    if was_closed and not ended and (error := refusals.not_open(case.folder, {Act.CASE_CLOSED})):
        raise error
    return missing


def _is_closed(case: Case) -> bool:
    return any(entry["act"] == Act.CASE_CLOSED for entry in case.entries())


def _each(case: Case, more: Iterable[Path], *, legal: bool | None) -> tuple[int, list[Path]]:
    """Changes the holds in each index that the case searched; None ends them. How many, and what was not reached."""
    names = [entry["details"]["file"] for entry in case.entries() if entry["act"] == Act.SEARCH]
    kept = [case.read_search(name.removeprefix(f"{SEARCHES}/").removesuffix(".json")) for name in names]
    held = {Path(each["asked"]["index"]) for each in kept if each.get("held")}
    changed, missing = 0, []
    for path in sorted({*held, *more}):
        try:
            if not path.is_dir():
                raise NotAnIndexError(str(path))
            done = holds.release(path, case.id) if legal is None else holds.put_on_legal_hold(path, case.id, legal)
            changed += done
        except IndexerError:
            missing.append(path)
    return changed, missing
