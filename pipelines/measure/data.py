"""What a benchmark measures: its options, the two sides of images, and who is compared with whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipelines.faces.aligned import Chips
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.regimes import REGIMES
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError, Reason
from tgfr_search.evaluation.intervals import RESAMPLES
from tgfr_search.evaluation.protocol import Roles, one_set, two_sets

LEVELS = tuple(LADDER)
CONDITIONS = ("clean-gallery", "both")
ROW_REASONS = (Reason.MISSING_SUBJECT, Reason.MISSING_IMAGE, Reason.DUPLICATE_ROW, Reason.UNMATCHED_CAPTION)
"""Why a row of a table was left out before any photo was opened; every other reason is a failure to enrol."""

VIEW_OF_LEVEL = {"normal": "original"}
"""The level `normal` is the face as it is."""

NAMED = 20
"""Photos that a warning names at most."""


@dataclass(frozen=True)
class BenchOptions:
    """What is measured.

    Attributes:
        probes: Probe images in any form that `index` takes.
        gallery: Gallery images, or an index that kept its crops; None makes `probes` one labelled set that plays both
            roles.
        captions_file: Captions table of a folder of probes.
        split: Rows of a table with a column `split`, on both sides.
        levels: Of the quality ladder.
        condition: `clean-gallery` or `both`.
        regimes: Caption regimes.
        group_by: A metadata column to break figures down by.
        same_person: Decisions about labels: who is one person under several ids (`tgfr_search.data.same_person`).
        seed: Of degradations, caption draws, open-set split and resamples.
        resamples: Of the bootstrap.
        enrolment: Also measure failure to enrol on degraded whole photos.
        end_to_end: Also measure the systems on those.
        calibration: Says what scores are worth; None is the one that comes with the model, if one does.
        cohort: That it was fitted with; None is the one that comes with the model.

    Raises:
        InputError: A level, condition or regime that there is not, or that is given twice; a number out of range.
    """

    probes: Path
    gallery: Path | None = None
    captions_file: Path | None = None
    split: str | None = None
    levels: tuple[str, ...] = LEVELS
    condition: str = CONDITIONS[0]
    regimes: tuple[str, ...] = ("own",)
    group_by: str | None = None
    seed: int = 0
    resamples: int = RESAMPLES
    enrolment: bool = True
    end_to_end: bool = False
    same_person: Path | None = None
    calibration: Path | None = None
    cohort: Path | None = None

    def __post_init__(self) -> None:
        _choice("level", self.levels, LEVELS)
        _choice("condition", (self.condition,), CONDITIONS)
        _choice("caption regime", self.regimes, REGIMES)
        if self.resamples < 1 or self.seed < 0:
            found = f"{self.resamples} resamples, seed {self.seed}"
            raise InputError("benchmark", found=found, expected="1 resample or more, a seed of 0 or more")


def _choice(what: str, asked: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in asked:
        if name not in known:
            raise InputError(f"{what} {name!r}", expected=f"of: {', '.join(known)}")
    if not asked or len(set(asked)) < len(asked):
        raise InputError(what, found=", ".join(asked) or "none", expected="one or more, none twice")


class Features(Protocol):
    """Features of N faces in several views, as `FeatureSet` has them."""

    @property
    def views(self) -> tuple[str, ...]:
        """Their names."""

    def batch(self, rows: IntArray, view: int | IntArray, side: IntArray | None = None) -> FaceFeatures:
        """Features of some faces."""


@dataclass(frozen=True)
class Side:
    """The images of one role, ordered by name.

    Attributes:
        chips: As cached, in the data's own order.
        order: Row of `chips` of each image.
        features: At every level, in the order of `chips`; by the `weights_key` of the face encoder that made them.
        names: N names, rising.
        subjects: N subject ids.
        captions: N tuples of lines.
        metadata: N mappings.
    """

    chips: Chips
    order: npt.NDArray[np.int64]
    features: Mapping[str, Features]
    names: list[str]
    subjects: list[str]
    captions: list[tuple[str, ...]]
    metadata: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.names)

    @staticmethod
    def of(chips: Chips, features: Mapping[str, Features]) -> Side:
        """All images of a data set."""
        return Side._ordered(chips, features, sorted(range(len(chips)), key=chips.names.__getitem__))

    @staticmethod
    def _ordered(chips: Chips, features: Mapping[str, Features], rows: list[int]) -> Side:
        return Side(
            chips,
            np.array(rows, dtype=np.int64),
            features,
            [chips.names[i] for i in rows],
            [chips.subjects[i] for i in rows],
            [chips.captions[i] for i in rows],
            [chips.metadata[i] for i in rows],
        )

    def take(self, images: list[int]) -> Side:
        """Some of the images, in the order given."""
        return Side._ordered(self.chips, self.features, self.order[images].tolist())

    def view(self, level: str) -> int:
        """Which view of the features is that of a level."""
        return next(iter(self.features.values())).views.index(VIEW_OF_LEVEL.get(level, level))

    def sha256(self, at: int) -> str:
        """Digest of an image's photo."""
        return self.chips.sha256[int(self.order[at])]


@dataclass(frozen=True)
class BenchData:
    """Probes, templates and their roles; `templates is probes` where there is one labelled set.

    Attributes:
        probes: Images that are searched with.
        templates: Images that are searched.
        roles: Who is compared with whom.
        warnings: What is odd about the data, for a person.
        counts: Images, subjects and what was left out.
    """

    probes: Side
    templates: Side
    roles: Roles
    warnings: tuple[str, ...]
    counts: dict[str, Any]


def join(probes: Side, templates: Side | None, seed: int) -> BenchData:
    """Gives everybody a role, and says what is odd about the data.

    A photo that stands twice under one subject counts once: compared with itself it would earn a mate for nothing.

    Args:
        probes: Probe images.
        templates: Gallery images; None where probes are one labelled set that plays both roles.
        seed: Of the open-set split.

    Raises:
        InputError: There is one subject only, or every probe photo is in the gallery.
    """
    probes, repeated = _distinct(probes, templates)
    other = probes if templates is None else templates
    numbers = {subject: at for at, subject in enumerate(sorted(set(probes.subjects) | set(other.subjects)))}
    if len(numbers) < 2:
        raise InputError("benchmark", found="one subject", expected="at least two: there is nobody to confuse it with")
    own = np.array([numbers[s] for s in probes.subjects], dtype=np.int64)
    enrolled = np.array([numbers[s] for s in other.subjects], dtype=np.int64)
    roles = one_set(own, seed) if templates is None else two_sets(own, enrolled, seed)
    failures: Counter[str] = Counter(probes.chips.failures)
    if templates is not None:
        failures.update(templates.chips.failures)
    left_out = {reason.value: failures.pop(reason.value) for reason in ROW_REASONS if reason.value in failures}
    counts = {
        "images": len(probes) + (0 if templates is None else len(other)),
        "subjects": len(numbers),
        "probes": len(probes),
        "templates": len(other),
        "one_set": templates is None,
        "not_detected": dict(failures),
        "left_out": left_out,
        "repeated": len(repeated),
        "without_caption": sum(not lines for lines in probes.captions),
    }
    warnings = (*_oddities(probes, other, roles, counts), *_listed("photo counted once", repeated))
    return BenchData(probes, other, roles, (*warnings, *_listed("same photo", _two_owners(probes, other))), counts)


def _oddities(probes: Side, templates: Side, roles: Roles, counts: dict[str, Any]) -> list[str]:
    out = [f"{count} rows were left out: {reason}" for reason, count in counts["left_out"].items()]
    single = sum(count == 1 for count in Counter(probes.subjects).values())
    if roles.one_set and single:
        out.append(
            f"{single} of {counts['subjects']} subjects have one image only: gallery and impostors, never a mated probe"
        )
    unknown = len(set(probes.subjects) - set(templates.subjects))
    if unknown:
        out.append(f"{unknown} probe subjects are not in the gallery: their probes are the open-set searches")
    if not len(roles.searches):
        out.append("no probe has its subject in the gallery: no closed-set figure and no genuine pair")
    if counts["without_caption"] == len(probes):
        out.append("no probe has a caption: every caption regime but `constant` measures the image alone")
    elif counts["without_caption"]:
        out.append(
            f"{counts['without_caption']} of {len(probes)} probe images have no caption: searched by image alone"
        )
    return out


def _distinct(probes: Side, templates: Side | None) -> tuple[Side, list[str]]:
    """The probes without those whose very photo is, under the same subject, an earlier probe or a template."""
    seen: dict[tuple[str, str], str] = {}
    if templates is not None:
        seen = {(templates.sha256(at), templates.subjects[at]): templates.names[at] for at in range(len(templates))}
    keep, repeated = [], []
    for at, name in enumerate(probes.names):
        key = probes.sha256(at), probes.subjects[at]
        if key in seen:
            repeated.append(f"{name} is {seen[key]} ({key[1]})")
        else:
            seen[key] = name
            keep.append(at)
    if not keep:
        raise InputError(
            "probes", found="every photo is in the gallery too", expected="other photos", do="leave the gallery out"
        )
    return (probes.take(keep) if repeated else probes), repeated


def _two_owners(probes: Side, templates: Side) -> list[str]:
    """The same photo under two subjects is an error of the data that ruins a figure."""
    seen: dict[str, tuple[str, str]] = {}
    out = []
    for side in [probes] if templates is probes else [templates, probes]:
        for at, (name, subject) in enumerate(zip(side.names, side.subjects, strict=True)):
            other, owner = seen.setdefault(side.sha256(at), (name, subject))
            if owner != subject:
                out.append(f"{other} ({owner}) and {name} ({subject}) are one photo under two subjects")
    return out


def _listed(what: str, photos: list[str]) -> list[str]:
    more = [f"{what}: {len(photos) - NAMED} more"] if len(photos) > NAMED else []
    return [*(f"{what}: {one}" for one in photos[:NAMED]), *more]
