"""From a score to a likelihood ratio: a logistic regression that is monotone in the score, fitted at the prior of use.

    ln LR = f(x) − logit(π*),   f = logistic regression with class weights π* : 1 − π*,   π* = .01

x holds the score between neighbouring knots (piecewise linear, so that a slope is a coefficient), once for a low and
once for a high end of quality q, linear between; then 1, q, q²; then typicality terms, which the score has no part in.
Every slope is ≥ 0, so log LR never falls as the score rises, at any quality and typicality. A balanced fit has a fine
Cllr and posteriors that are far off in a search, where nearly everybody is a stranger: hence π*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tgfr_search.errors import InputError
from tgfr_search.forensic.bounds import Bounds, bounds_of
from tgfr_search.forensic.pairs import Bools, Floats, Pairs, finite

PRIOR = 0.01
"""π*: of a search, where the person looked for is one among many."""

KNOTS = (0.05, 0.35, 0.6, 0.75, 0.9)
"""Where the knots lie: quantiles of the scores, genuine and impostor pairs counting the same."""

QUALITY_ENDS = (0.2, 1.0)
"""Between them the slopes change linearly with quality."""

RIDGE = 1e-7
"""Makes the optimum one point, also where the classes do not overlap; bounds cut what such data would claim."""

MIN_PEOPLE, MIN_GENUINE = 100, 300
"""Fewer calibrate nothing, whole or in a band of quality."""

REFITS = 100
LEVEL = 0.9
"""Of the interval."""

ITERATIONS = 500
LN10 = math.log(10.0)


@dataclass(frozen=True)
class Ratios:
    """Likelihood ratios of N pairs as log10, within the calibrator's bounds.

    Attributes:
        log10: [N].
        low: [N], lower end of the 90 % interval.
        high: [N], upper end.
        bounded: [N], whether the bounds cut the value: it then reads "at least" or "at most".
    """

    log10: Floats
    low: Floats
    high: Floats
    bounded: Bools


@dataclass(frozen=True)
class Calibrator:
    """A fitted calibration.

    Attributes:
        knots: K scores, rising.
        coefficients: 2·K slopes (low end of quality, then high), 3 of 1, q, q², T of the typicality terms; ln odds.
        prior: π*.
        bounds: Of log10 LR.
        refits: Coefficients of R fits on resampled people.
    """

    knots: tuple[float, ...]
    coefficients: tuple[float, ...]
    prior: float
    bounds: Bounds
    refits: tuple[tuple[float, ...], ...] = ()

    @property
    def terms(self) -> int:
        """T, how many typicality terms a score must come with."""
        return len(self.coefficients) - 2 * len(self.knots) - 3

    def unbounded(self, score: Floats, quality: Floats, typicality: Floats | None = None) -> Floats:
        """log10 LR [N] as the regression has it, not to be shown to anybody.

        Raises:
            InputError: A value is NaN or infinite, or the typicality terms are not those of the fit.
        """
        return self._odds(self._features(score, quality, typicality), self.coefficients)

    def ratios(self, score: Floats, quality: Floats, typicality: Floats | None = None) -> Ratios:
        """Likelihood ratios of N pairs.

        Args:
            score: [N].
            quality: [N], 0 … 1.
            typicality: [N, T].

        Raises:
            InputError: As `unbounded`.
        """
        features = self._features(score, quality, typicality)
        raw = self._odds(features, self.coefficients)
        low = high = raw
        if self.refits:
            every = features @ np.array(self.refits).T
            ends = np.quantile(every, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
            ends = (ends - _logit(self.prior)) / LN10
            low, high = np.minimum(ends[0], raw), np.maximum(ends[1], raw)
        at, of = self.bounds.low, self.bounds.high
        return Ratios(np.clip(raw, at, of), np.clip(low, at, of), np.clip(high, at, of), (raw < at) | (raw > of))

    def _odds(self, features: Floats, coefficients: tuple[float, ...]) -> Floats:
        return np.asarray((features @ np.array(coefficients) - _logit(self.prior)) / LN10)

    def _features(self, score: Floats, quality: Floats, typicality: Floats | None) -> Floats:
        terms = np.empty((len(score), 0)) if typicality is None else finite(typicality, "typicality")
        if terms.shape != (len(score), self.terms):
            expected = f"[{len(score)}, {self.terms}], as it was fitted"
            raise InputError("typicality terms", found=f"{list(terms.shape)}", expected=expected)
        return _features(finite(score, "score"), finite(quality, "quality"), terms, self.knots)


def fit(pairs: Pairs, *, prior: float = PRIOR, refits: int = REFITS, seed: int = 0) -> Calibrator:
    """Fits a calibrator with its bounds and the refits that its intervals come from. Two fits give equal numbers.

    Args:
        pairs: Of at least 100 people and 300 genuine pairs.
        prior: π*, between 0 and 1.
        refits: Of the interval; 0 fits none, and the interval is the value itself.
        seed: Of the resampled people.

    Raises:
        InputError: Too few people or pairs, one class empty, all scores equal, a prior that is none.
    """
    checked_prior(prior)
    check_enough(pairs)
    genuine = pairs.genuine
    knots = _knots(pairs)
    x = _features(pairs.score, pairs.quality, pairs.typicality, knots)
    # Columns of about unit size let the optimiser find its way; slopes keep their sign.
    size = np.sqrt(np.average(x**2, axis=0, weights=balanced(pairs.weight, genuine, 0.5)))
    size[size == 0] = 1.0
    x, held = x / size, 2 * len(knots)
    found = minimise(x, genuine, balanced(pairs.weight, genuine, prior), held, np.zeros(x.shape[1]))
    again = []
    people, at = np.unique(np.concatenate([pairs.probe, pairs.record]), return_inverse=True)
    first, second = at[: len(pairs)], at[len(pairs) :]
    rng = np.random.default_rng([seed, 12])
    for _ in range(refits):
        drawn = rng.multinomial(len(people), np.full(len(people), 1 / len(people)))
        weight = pairs.weight * np.where(genuine, drawn[first], drawn[first] * drawn[second])
        rows = weight > 0
        again.append(minimise(x[rows], genuine[rows], balanced(weight[rows], genuine[rows], prior), held, found))
    whole, *rest = (tuple(float(f"{value:.10g}") for value in own / size) for own in (found, *again))
    calibrator = Calibrator(knots, whole, prior, Bounds(-math.inf, math.inf), tuple(rest))
    raw = calibrator.unbounded(pairs.score, pairs.quality, pairs.typicality if pairs.typicality.size else None)
    return replace(calibrator, bounds=bounds_of(raw, genuine, pairs.weight, len(people)))


def checked_prior(prior: float) -> float:
    """The prior.

    Raises:
        InputError: It is not between 0 and 1, both excluded: 0 and 1 are no beliefs that evidence could change.
    """
    if not 0.0 < prior < 1.0:
        raise InputError("prior", found=f"{prior:g}", expected="a probability above 0 and below 1")
    return prior


def check_enough(pairs: Pairs) -> None:
    """Refuses pairs that nothing can be fitted on.

    Raises:
        InputError: Too few people or pairs, or one class empty.
    """
    genuine = int(pairs.genuine.sum())
    if not genuine or genuine == len(pairs):
        found = f"{genuine:,} genuine and {len(pairs) - genuine:,} impostor pairs"
        raise InputError("calibration", found=found, expected="both kinds")
    if pairs.people() < MIN_PEOPLE or genuine < MIN_GENUINE:
        found = f"{pairs.people():,} people and {genuine:,} genuine pairs"
        raise InputError(
            "calibration", found=found, expected=f"{MIN_PEOPLE} people and {MIN_GENUINE} genuine pairs or more",
            do="calibrate on more people of the same population",
        )  # fmt: skip


def _knots(pairs: Pairs) -> tuple[float, ...]:
    order = np.argsort(pairs.score, kind="stable")
    share = np.cumsum(balanced(pairs.weight, pairs.genuine, 0.5)[order])
    at = np.minimum(np.searchsorted(share / share[-1], KNOTS), len(order) - 1)
    knots = np.unique(pairs.score[order][at])
    if len(knots) < 2:
        found = f"nearly all scores equal ({knots[0]:g})"
        raise InputError("calibration", found=found, expected="scores that differ between pairs")
    return tuple(float(f"{knot:.10g}") for knot in knots)


def _features(score: Floats, quality: Floats, typicality: Floats, knots: tuple[float, ...]) -> Floats:
    """[N, 2·K + 3 + T]; no entry of a slope falls as the score rises."""
    ends = np.array([*knots[1:], np.inf])
    parts = np.clip(score[:, None], np.array(knots), ends) - np.array(knots)
    q = np.clip(quality, 0.0, 1.0)
    low, high = QUALITY_ENDS
    share = np.clip((q - low) / (high - low), 0.0, 1.0)[:, None]
    return np.concatenate([parts * (1 - share), parts * share, np.stack([np.ones_like(q), q, q * q], 1), typicality], 1)


def balanced(weight: Floats, genuine: Bools, prior: float) -> Floats:
    """Weights of which the genuine pairs have the share π*, all together 1."""
    own, other = weight[genuine].sum(), weight[~genuine].sum()
    return np.asarray(np.where(genuine, weight * prior / own, weight * (1 - prior) / other))


def minimise(x: Floats, genuine: Bools, weight: Floats, slopes: int, start: Floats) -> Floats:
    """Coefficients of the smallest weighted logistic loss, the first `slopes` of them ≥ 0."""
    from scipy.optimize import minimize  # a search applies a calibration and never fits one

    sign = np.where(genuine, -1.0, 1.0)
    scale = 1 / weight[genuine].sum()  # the loss is of the order of π* otherwise, and so are its gradients

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (x @ w)
        value = scale * float(weight @ np.logaddexp(0.0, margin)) + RIDGE * float(w @ w)
        slope = sign * weight * np.exp(-np.logaddexp(0.0, -margin))
        return value, scale * (slope @ x) + 2 * RIDGE * w

    bounds = [(0.0, None)] * slopes + [(None, None)] * (x.shape[1] - slopes)
    options = {"maxiter": ITERATIONS, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20}
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x)


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)
