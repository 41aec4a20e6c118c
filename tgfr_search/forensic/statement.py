"""What is printed beside a likelihood ratio: the two propositions, and the number as a reader may take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tgfr_search.errors import InputError
from tgfr_search.forensic.tail import Expected

FEW = 0.01
"""Expected strangers below which the number itself would claim more than it can."""


@dataclass(frozen=True)
class Population:
    """P of H2.

    Attributes:
        name: Who they are.
        people: How many a calibration saw.
        sampling: How they were chosen.
    """

    name: str
    people: int
    sampling: str

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.sampling.strip() or self.people < 1:
            found = f"{self.name!r}, {self.people} people, sampled {self.sampling!r}"
            raise InputError("population", found=found, expected="a name, its size, and how it was sampled")


def propositions(population: Population) -> tuple[str, str]:
    """H1 and H2, as printed beside every likelihood ratio."""
    return (
        "H1: the probe shows the person of this record.",
        f"H2: the probe shows another person of {population.name} "
        f"({population.people:,} people calibrated on; {population.sampling}).",
    )


def log10_text(log10: float, low: float, high: float) -> str:
    """A log10 LR with its 90 % interval, one decimal: `2.3 (1.8–2.7)`."""
    return f"{_signed(log10)} ({_signed(low)}–{_signed(high)})"


def lr_text(lr: Mapping[str, Any] | None) -> str:
    """`2.3 (1.8–2.7)` of a candidate's `lr`, or why there is no number; empty where nobody asked."""
    if lr is None:
        return ""
    if lr["refused"] is not None:
        return f"none: {lr['refused']}"
    limit = ("≥ " if lr["log10"] > 0 else "≤ ") if lr["bounded"] else ""
    return limit + log10_text(lr["log10"], lr["low"], lr["high"])


def ratio_text(log10: float, bounded: bool) -> str:
    """What the evidence is worth, as words: `200 times more probable if H1 is true`, `at least 500 times` where cut."""
    times = f"{_two_digits(10 ** abs(log10), down=bounded):,}"
    cut = "at least " if bounded else "about "
    if abs(log10) < 0.05 and not bounded:
        return "about as probable under H1 as under H2"
    other = ("H1", "H2") if log10 > 0 else ("H2", "H1")
    return f"{cut}{times} times more probable if {other[0]} is true than if {other[1]} is"


def strangers_text(expected: Expected, searched: int) -> str:
    """How many strangers are expected so high among those searched."""
    number = f"{expected.strangers:.2f}" if expected.strangers >= FEW else f"fewer than {FEW:g}"
    beyond = " (extrapolated)" if expected.extrapolated else ""
    return f"strangers expected this high among {searched:,} searched: {number}{beyond}"


def _signed(value: float) -> str:
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "−")


def _two_digits(value: float, *, down: bool) -> int | float:
    """Two significant digits; downwards where the number is a bound."""
    if value < 10:
        return int(value * 10) / 10 if down else round(value, 1)
    size = int(10 ** (len(str(int(value))) - 2))
    return int(value / size + (1e-6 if down else 0.5)) * size
