"""What watches have found so far, beside what strangers alone would have given."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import Store, watches
from indexer.watch_file import Watch
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.journal import Journal, index_of


def list_watches(index: Path, journal: Journal | None = None) -> list[dict[str, Any]]:
    """The watches of an index with what they found, best first, and what strangers alone would give.

    Raises:
        IndexerError: There is no index, or a watch is damaged.
    """
    store = Store.open(index)
    ids = store.row_ids()
    found = [_listed(store, ids, watch) for watch in watches.read_watches(index)]
    if journal is not None:
        count = sum(len(each["hits"]) for each in found)
        journal.record(Entry(Act.VIEW, index=index_of(store), details={"watches": len(found), "hits": count}))
    return found


def _listed(store: Store, ids: npt.NDArray[np.int64], watch: Watch) -> dict[str, Any]:
    there = set(ids.tolist())
    kept = {row.row_id: row for row in store.rows([h.row_id for h in watch.hits if h.row_id in there], chips=False)}
    hits = []
    for hit in sorted(watch.hits, key=lambda hit: -hit.score):
        row = kept.get(hit.row_id)
        named = {"subject_id": None if row is None else row.subject_id, "image": None if row is None else row.image}
        hits.append({**asdict(hit), **named, "deleted": row is None})
    a_row, rate = watch.told["false_a_row"], watch.told["rows_a_day"]
    known = a_row is not None
    return {
        "watch": watch.name,
        "added": watch.added,
        **{name: watch.told[name] for name in ("model_id", "mode", "lines", "quality", "fpir", "rows_a_day")},
        "threshold": watch.threshold,
        "expected": {
            "a_row": a_row,
            "a_day": a_row * rate if known and rate is not None else None,
            "so_far": a_row * watch.rows if known else None,
            "extrapolated": watch.told["extrapolated"],
            "refused": watch.told["refused"],
        },
        "rows": watch.rows,
        "waiting": int((ids >= watch.matched).sum()),
        "hits": hits,
    }
