"""Figures within groups of people (demographic or any other column): who is served worse, and how sure is that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import eer_interval, rate_interval, tar_interval
from tgfr_search.evaluation.measures import Key, search
from tgfr_search.evaluation.pairs import Ints, score_pairs
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.types import FloatArray

MIN_SUBJECTS = 20
"""A group with fewer probe subjects is named but not measured: its figures would be about individuals."""

FAR = 1e-3


def group_members(metadata: Sequence[Mapping[str, Any]], column: str) -> list[tuple[str, Ints]]:
    """The images of each value of a column; images without a value form none.

    Raises:
        InputError: No image has the column; the message lists those there are.
    """
    values = [str(row[column]) if row.get(column) is not None else None for row in metadata]
    if not any(value is not None for value in values):
        there = sorted({name for row in metadata for name in row})
        raise InputError(f"group-by column {column!r}", found="no such column", expected=f"one of: {', '.join(there)}")
    return [
        (value, np.flatnonzero([own == value for own in values]).astype(np.int64))
        for value in sorted({value for value in values if value is not None})
    ]


def group_figures(
    probes: FloatArray,
    templates: FloatArray,
    roles: Roles,
    members: Ints,
    weights: FloatArray,
    skip: Ints | None = None,
) -> Iterator[tuple[Key, Interval, dict[str, int]]]:
    """EER and TAR@1e-3 among the group's own images (impostors of the same group), Rank-1 in the whole gallery.

    Args:
        probes: Query vectors [P, D].
        templates: Gallery vectors [G, D].
        roles: Of everybody.
        members: Probe rows of the group.
        weights: Subject resamples [R, S].
        skip: As `score_pairs`, of everybody.
    """
    own = np.unique(roles.probe_subjects[members])
    keys: list[Key] = [("eer", None), ("tar_at_far", FAR), ("rank", 1)]
    if len(own) < MIN_SUBJECTS:
        reason = f"{len(own)} subjects, fewer than {MIN_SUBJECTS}"
        for key in keys:
            yield key, Interval(None, None, None, reason, np.empty(0)), {"n_probes": len(members)}
        return
    rows = members if roles.one_set else np.flatnonzero(np.isin(roles.template_subjects, own))
    place = np.full(len(templates) + 1, -1, np.int64)  # the last stands for "none", row −1
    place[rows] = np.arange(len(rows))
    pairs = score_pairs(
        probes[members],
        templates[rows],
        roles.probe_subjects[members],
        None if roles.one_set else roles.template_subjects[rows],
        None if skip is None else place[skip[members]],
    )
    found = search(probes, templates, roles.restricted(members))
    owners = roles.probe_subjects[roles.restricted(members).searches]
    counts = {
        "n_genuine": len(pairs.genuine),
        "n_impostor": pairs.n_impostor,
        "n_probes": len(owners),
        "n_gallery": len(np.unique(roles.template_subjects[roles.gallery])),
    }
    yield keys[0], eer_interval(pairs, weights), counts
    yield keys[1], tar_interval(pairs, FAR, weights), counts
    yield keys[2], rate_interval((found.ranks == 1).astype(float), owners, weights), counts
