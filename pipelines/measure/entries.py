"""Figures of cells as entries of a report's `results`: with paired differences, means of levels, failure to enrol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pipelines.measure.cells import Measured, entry
from pipelines.measure.data import LEVELS, BenchOptions
from pipelines.measure.systems.names import BASELINES
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.evaluation.results import ResultRecord

DEGRADED = "degraded"
"""In place of a level: the mean of a figure over all levels but `normal`."""

Key = tuple[str, str, str]
"""(system, captions, level)."""


def figures(
    options: BenchOptions, condition: str, measured: Mapping[Key, Measured], roles: Roles
) -> Iterator[ResultRecord]:
    """Figures, then paired differences from the baselines at the same level; last the means of the degraded levels."""
    enrolled = len(np.unique(roles.template_subjects[roles.open_gallery]))
    found = {key: one.measures.figures for key, one in measured.items()}
    for name, captions in dict.fromkeys(key[:2] for key in measured):
        degraded = [found[name, captions, level] for level in options.levels if level != LEVELS[0]]
        if len(degraded) > 1:
            found[name, captions, DEGRADED] = {at: Interval.mean([one[at] for one in degraded]) for at in degraded[0]}
    some = {key[:2]: one.measures.counts for key, one in measured.items()}
    for (name, captions, level), own in found.items():
        for (metric, at), interval in own.items():
            counts = dict(some[name, captions])
            if metric == "fnir_at_fpir":
                counts |= {"n_probes": counts["n_mated"] + counts["n_nonmated"], "n_gallery": enrolled}
            yield entry(name, condition, level, captions, metric, at, interval, counts)
            for baseline, regime in BASELINES.items():
                other = found.get((baseline, regime, level))
                if other is not None and name != baseline:
                    difference = interval.minus(other[metric, at])
                    yield entry(name, condition, level, captions, metric, at, difference, counts, minus=baseline)


def failure_to_enrol(
    options: BenchOptions, condition: str, level: str, outcome: Sequence[tuple[str, bool]] | None
) -> ResultRecord:
    """Failure to enrol at a level.

    Args:
        options: Of the benchmark.
        condition: As in the report.
        level: Of the quality ladder.
        outcome: (subject, failed) of every photo; None where no detector ran.
    """
    if outcome is None:
        none = Interval(None, None, None, "aligned chips: no detector ran", np.empty(0))
        return entry("frozen", condition, level, "none", "fte", None, none, {})
    # Subjects whose every photo failed have no place in the benchmark's own resamples: these are drawn apart.
    subjects, owners = np.unique([subject for subject, _ in outcome], return_inverse=True)
    weights = subject_weights(len(subjects), options.seed, options.resamples)
    interval = rate_interval(np.array([float(f) for _, f in outcome]), owners.astype(np.int64), weights)
    return entry("frozen", condition, level, "none", "fte", None, interval, {"n_probes": len(outcome)})
