"""Searches of a case: run and kept, run again and compared."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from indexer import Store
from pipelines.casework.case import holds
from pipelines.casework.case.case import Case
from pipelines.casework.searches.search import run_again
from pipelines.casework.searches.then import as_searched
from pipelines.search.gallery import Gallery
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.errors import InputError

TOLERANCE = 1e-6
"""Of a score, when a search is run again."""


@dataclass(frozen=True)
class Replay:
    """What a search gave when it was run again.

    Attributes:
        search: Its name.
        same: Nothing differs.
        differs: What does, a line each; of what was purged, why it cannot be run again.
        logged: That it was run again stands in the log of the case; not in that of an imported one, which is read.
    """

    search: str
    same: bool
    differs: tuple[str, ...]
    logged: bool = True


def replay(case: Case, gallery: Gallery, name: str, *, actor: str) -> Replay:
    """Runs a search of a case again and compares candidates and scores. That it was done is logged.

    Where the index has moved on, the generation that was searched is opened, if it is held or searched still.

    Args:
        case: The case, kept here or imported.
        gallery: The index that was searched, wherever it is now.
        name: Of the search.
        actor: Account.

    Raises:
        InputError: There is no such search, or evidence or answer are not as they were logged.
        AuditError: It could not be logged.
    """
    kept = case.read_search(name)
    before = kept["result"]
    then, why = _as_it_was(case, gallery, name, str(before["index_id"]))
    if why:
        differs = [why]
    else:
        data = None if kept["evidence"] is None else case.evidence(kept["evidence"])
        after = run_again(case, then, data, kept["evidence"], kept["origin"], kept["asked"]).as_dict()
        differs = _differences(before, after)
    if not case.imported:
        case.journal(actor).record(Entry(Act.REPLAY, details={"search": name, "same": not differs}))
    return Replay(name, not differs, tuple(differs), logged=not case.imported)


def _as_it_was(case: Case, gallery: Gallery, name: str, index_id: str) -> tuple[Gallery, str]:
    """The gallery at the generation that was searched, where it can be had; and why it never can be again."""
    store, (identity, _, generation) = gallery.store, index_id.rpartition("@")
    moved = isinstance(store, Store) and store.index_id == identity and store.generation != int(generation)
    if moved and isinstance(store, Store) and (when := holds.purged(case, store.path, name)):
        why = f"generation {generation}: purged at {when} in spite of this case, so that the search cannot be repeated"
        return gallery, why
    then = as_searched(store, index_id)  # where it is held no more, it is searched as it is now, and told
    return Gallery(then, gallery.model, gallery.finder, gallery.journal, gallery.judge), ""


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    names = ("model_id", "index_id", "mode", "searched", "threshold")
    told = [
        f"{name}: {before[name]} then, {after[name]} now"
        for name in names
        if name in before and before[name] != after[name]
    ]
    # Answers of before there were likelihood ratios have no calibration to compare.
    if "calibration" in before and _digest(before) != _digest(after):
        told.append(f"calibration: {_digest(before)} then, {_digest(after)} now")
    then, now = before["candidates"], after["candidates"]
    if len(then) != len(now):
        told.append(f"candidates: {len(then)} then, {len(now)} now")
    for old, new in zip(then, now, strict=False):
        if (old["row_id"], old["subject_id"]) != (new["row_id"], new["subject_id"]):
            told.append(f"rank {old['rank']}: row {old['row_id']} then, row {new['row_id']} now")
        elif abs(old["score"] - new["score"]) > TOLERANCE:
            told.append(f"rank {old['rank']}: score {old['score']:.7f} then, {new['score']:.7f} now")
        elif worth := _worth_differs(old, new):
            told.append(f"rank {old['rank']}: {worth}")
    return told


def index_of_search(case: Case, name: str) -> Path:
    """Where the index of a search was.

    Raises:
        InputError: There is no such search.
    """
    path = str(case.read_search(name)["asked"]["index"])
    if not path:
        raise InputError("--index", found="a search in a Milvus collection", expected="the index it was published from")
    if not Path(path).is_dir():
        raise InputError("--index", found=f"nothing at {path}, where it was", expected="where the index is now")
    return Path(path)


def _digest(result: dict[str, Any]) -> str:
    return "none" if result["calibration"] is None else str(result["calibration"]["sha256"])


def _worth_differs(old: dict[str, Any], new: dict[str, Any]) -> str:
    """How what a candidate is worth differs from an earlier answer, where that told it; empty where it does not."""
    before, after = old.get("lr"), new.get("lr")
    if before is not None:
        if after is None or before["refused"] != after["refused"]:
            now = (after or {}).get("refused") or "a number"
            return f"likelihood ratio: {before['refused'] or 'a number'} then, {now} now"
        for name, text in (("log10", "log10 LR"), ("low", "lower end of log10 LR"), ("high", "upper end of log10 LR")):
            if before["log10"] is not None and abs(before[name] - after[name]) > TOLERANCE:
                return f"{text} {before[name]:.7f} then, {after[name]:.7f} now"
    then, now = old.get("expected_strangers"), new.get("expected_strangers")
    if then is not None and (now is None or not isclose(then, now, rel_tol=TOLERANCE)):
        return f"expected strangers {then} then, {now} now"
    return ""
