"""Foils: known strangers among the candidates of a blind review, so that it is known how often an examiner errs.

The laboratory sets how many (`Lab.foils`, for each candidate) and, if it likes, which rows of the gallery are known to
be strangers (`Lab.foil_where`). They are drawn when the search is made and kept with it, before anybody has looked at
it: nobody can choose them afterwards. They are people of the same gallery and of the same filter, ranked well below the
list by the same probe, so that they look like candidates; they are none, and no answer or list ever has them.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.casework.case.lab import Lab
from pipelines.search.gallery import Gallery
from tgfr_search.types import QueryResult, SearchHit

SEED_BITS = 48
"""A number that JSON keeps exactly."""
DEPTH = 5
"""Foils are from a list that is this many times as long as that of the candidates."""


def draw(
    lab: Lab,
    gallery: Gallery,
    asked: dict[str, Any],
    result: QueryResult,
    ask: Callable[[dict[str, Any]], QueryResult],
    seed: int | None = None,
) -> dict[str, Any]:
    """The foils of a search, to be kept with it.

    Each candidate brings one with the probability that the laboratory sets, so that nobody can count on a number.

    Args:
        lab: Its rules.
        gallery: What was searched, at that generation.
        asked: What was asked for.
        result: The answer.
        ask: Searches with the same probe again, for something else that is asked for.
        seed: Of the draw; a new one by default.

    Returns:
        `seed`, `rate`, and `rows`: their row ids; nothing where the laboratory has no foils or there are no candidates.
        Fewer than were drawn where the gallery has no more people.
    """
    if not lab.foils or not result.candidates:
        return {}
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    chance, length = random.Random(f"{seed}/foils"), len(result.candidates)
    count = sum(chance.random() < lab.foils for _ in range(length))
    told = {"seed": seed, "rate": lab.foils}
    if not count:
        return {**told, "rows": []}
    filters = [f"({each})" for each in (asked["where"], lab.foil_where) if each]
    found = ask({**asked, "top_k": DEPTH * length, "where": " and ".join(filters) or None})
    pool = _pool(gallery, result.candidates, found.candidates, count, known=bool(lab.foil_where))
    chosen = chance.sample(pool, min(count, len(pool)))
    return {**told, "rows": [hit.row_id for hit in chosen]}


def _pool(
    gallery: Gallery, listed: Sequence[SearchHit], found: Sequence[SearchHit], count: int, *, known: bool
) -> list[SearchHit]:
    """Who may be a foil: nobody of the list and, of people who are not known to be strangers, nobody just below it.

    There the person sought may stand, whose picture in the gallery is poor or whom it has under another name.
    """
    subjects = {hit.subject_id for hit in listed}
    others = [hit for hit in found if hit.subject_id not in subjects]
    if any(gallery.store.rows([hit.row_id])[0].chip is not None for hit in listed[:1]):  # who has no face stands out
        rows = gallery.store.rows([hit.row_id for hit in others])
        others = [hit for hit, row in zip(others, rows, strict=True) if row.chip is not None]
    below = 0 if known else min(len(listed), max(len(others) - count, 0))
    return others[below:]
