"""Foils: known strangers among the candidates of a blind review, so that it is known how often an examiner errs.

The laboratory sets how many (`Lab.foils`, for each candidate) and declares which rows of the gallery are known to be
strangers (`Lab.foil_where`). Nobody else is ever a foil: somebody who ranks low is only likely not to be the person
sought, whose picture in the gallery may be poor, and an examiner who is right would be counted as wrong. They are drawn
when the search is made and kept with it, before anybody has looked at it: nobody can choose them afterwards. They are
people of the same gallery and of the same filter, the highest by the same probe, so that they look like candidates;
they are none, and no answer or list ever has them.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from indexer.errors import FilterError
from pipelines.casework.case.lab import DECLARED, FOIL_WHERE, Lab
from pipelines.search.gallery import Gallery
from tgfr_search.errors import InputError
from tgfr_search.types import QueryResult, SearchHit

SEED_BITS = 48
"""A number that JSON keeps exactly."""
DEPTH = 5
"""Foils are from a list of declared strangers that is this many times as long as that of the candidates."""


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
        `seed`, `rate`, and `rows`: their row ids; nothing where the laboratory has no foils, or has declared nobody, or
        there are no candidates. Fewer than were drawn where the gallery has no more of these people.

    Raises:
        InputError: The laboratory's filter does not fit this gallery, or declares everybody in it to be a stranger.
    """
    if not lab.foils or not lab.foil_where or not result.candidates:
        return {}
    both = _declared(lab, gallery, asked["where"])
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    chance, length = random.Random(f"{seed}/foils"), len(result.candidates)
    count = sum(chance.random() < lab.foils for _ in range(length))
    told = {"seed": seed, "rate": lab.foils}
    if not count:
        return {**told, "rows": []}
    found = ask({**asked, "top_k": DEPTH * length, "where": both})
    pool = _pool(gallery, result.candidates, found.candidates)
    chosen = chance.sample(pool, min(count, len(pool)))
    return {**told, "rows": [hit.row_id for hit in chosen]}


def _declared(lab: Lab, gallery: Gallery, where: str | None) -> str:
    """The filter for who is searched and a stranger by the laboratory's declaration."""
    both = " and ".join(f"({each})" for each in (where, lab.foil_where) if each)
    try:
        strangers, everybody = gallery.store.searched(both), gallery.store.searched(where)
    except FilterError as error:
        do = "bring what it asks for into the gallery (`update --set`), or open a case under other rules"
        raise InputError(FOIL_WHERE, found=str(error), expected="a filter of this gallery's columns", do=do) from error
    if strangers == everybody:
        found = f"all {everybody:,} rows that are searched are strangers by it"
        do = "search others too, or open a case under rules without foils"
        raise InputError(FOIL_WHERE, found=found, expected=f"{DECLARED}, and nobody else", do=do)
    return both


def _pool(gallery: Gallery, listed: Sequence[SearchHit], found: Sequence[SearchHit]) -> list[SearchHit]:
    """Who may be a foil: of those who are declared to be strangers, nobody of the list."""
    subjects = {hit.subject_id for hit in listed}
    others = [hit for hit in found if hit.subject_id not in subjects]
    if any(gallery.store.rows([hit.row_id])[0].chip is not None for hit in listed[:1]):  # who has no face stands out
        rows = gallery.store.rows([hit.row_id for hit in others])
        others = [hit for hit, row in zip(others, rows, strict=True) if row.chip is not None]
    return others
