"""How a probe and a record stand to strangers: four numbers against a cohort that is nobody in the search.

A cohort of the searched people, own labels masked out, fakes a large gain: it must share nobody with those who are
searched, trained or fitted.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.pairs import Floats, finite

SHARE = 0.1
"""Of a cohort, the highest scores that count."""

SMALLEST = 100
"""People of a cohort."""


def highest(scores: Floats) -> Floats:
    """Mean and spread of the highest tenth of each row's scores against a cohort.

    Args:
        scores: [N, C], N probes (or records) against C cohort members, one a person.

    Returns:
        [N, 2]: `t_mean, t_sd` of probes, `z_mean, z_sd` of records.

    Raises:
        InputError: The cohort has fewer than 100 people, or a score is NaN.
    """
    values = finite(scores, "scores against the cohort")
    if values.ndim != 2 or values.shape[1] < SMALLEST:
        people = values.shape[1] if values.ndim == 2 else 0
        raise InputError("cohort", found=f"{people} people", expected=f"{SMALLEST} or more, one template each")
    count = math.ceil(SHARE * values.shape[1])
    top = np.partition(values, values.shape[1] - count, axis=1)[:, -count:]
    return np.stack([top.mean(axis=1), top.std(axis=1)], axis=1)


def record_terms(by_level: Floats, levels: Floats, quality: Floats) -> Floats:
    """`z_mean, z_sd` of each record for probes of any quality, linear between the levels that were kept.

    Args:
        by_level: [L, G, 2], `highest` of the records against cohort probes of each level.
        levels: [L], mean predicted quality of each level's cohort probes, falling or rising.
        quality: [P], of the probes searched with.

    Returns:
        [P, G, 2].
    """
    order = np.argsort(levels, kind="stable")
    at = np.clip(np.interp(quality, levels[order], np.arange(len(order))), 0, len(order) - 1)
    low = np.minimum(at.astype(np.int64), max(len(order) - 2, 0))
    share = (at - low)[:, None, None]
    rising = finite(by_level, "cohort terms")[order]
    return np.asarray(rising[low] * (1 - share) + rising[np.minimum(low + 1, len(order) - 1)] * share)


def check_disjoint(cohort: Collection[str], others: Collection[str], what: str) -> None:
    """A cohort shares nobody with those it is to judge.

    Args:
        cohort: Subject ids.
        others: Subject ids of `what`.
        what: Who they are, for instance `gallery`.

    Raises:
        InputError: It shares somebody.
    """
    shared = sorted(set(cohort) & set(others))
    if shared:
        found = f"{len(shared)} people who are in the {what} too: {', '.join(shared[:3])}"
        raise InputError("cohort", found=found, expected=f"nobody of the {what}", do="take other people as the cohort")
