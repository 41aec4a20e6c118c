"""What a description states, as directions of a gallery's rows (not in the paper).

The text encoder reads the phrasing that it was taught; elsewhere it overlooks a "no" and does not know a fringe. So an
attribute that a description asserts or denies is also a direction of the blocks that are made of a face: a ridge
regression of people's labels on rows of train people, in units of the label's spread. A row says of attribute a
z_a = ⟨w_a, row⟩ − m_a, the share of statements in a score is Σ_a v_a·z_a: linear in the row, so any index serves. v_a
is λ·claim_a, less what the other claims tell already where it is known how attributes go together: "a man without
make-up" says little more than "a man".

    weights/<model>/statements/
      model.safetensors    directions, what they give on average, calibration, and what they were made from
      CARD.md              data, numbers, limits

Made by `tgfr-search model fit-statements`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import CheckpointError
from tgfr_search.shipped import arrays_sha256, read_shipped, write_shipped
from tgfr_search.types import FloatArray
from tgfr_search.words.phrasing import is_familiar, without_denials
from tgfr_search.words.read import read_lines

FOLDER = "statements"
"""Beside a model's own files."""

FORMAT = "1"

Claims = Mapping[str, float]
"""Attribute → −1 (surely denied) to 1 (surely asserted)."""

NOISE = 0.3
"""Variance, in units of labels' spreads, of what an attribute shows that it shares with no other: see
`Directions.weights_of`. Chosen on valid: docs/experiments.md, 47."""

Layout = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Stated:
    """What statements add to N probes.

    Attributes:
        queries: float32 [N, D], in the order of the index: part of each query.
        offsets: float64 [N], part of each offset.
    """

    queries: FloatArray
    offsets: npt.NDArray[np.float64]

    @staticmethod
    def nothing(count: int, width: int) -> Stated:
        """Of probes of which nothing is stated."""
        return Stated(np.zeros((count, width), np.float32), np.zeros(count))

    @staticmethod
    def concat(parts: Sequence[Stated]) -> Stated:
        """Of the probes of all parts, one after another."""
        return Stated(np.concatenate([p.queries for p in parts]), np.concatenate([p.offsets for p in parts]))

    def take(self, rows: npt.NDArray[np.intp]) -> Stated:
        """Of some of the probes, in that order."""
        return Stated(self.queries[rows], self.offsets[rows])


@dataclass(frozen=True)
class Directions:
    """The attributes that a model's rows tell.

    Attributes:
        attributes: A names.
        blocks: Names of the blocks that they are read from.
        weights: Block → float32 [A, dimension].
        means: float32 [A], what the weights give on average: m.
        usual: float32 [A], the share of all faces that have the attribute.
        calibration: float32 [A, 4], (a, b, c, d) of P(holds) = σ((a + b·q)·z + c + d·q), q the picture's quality.
        strength: Mode → λ of lines that the text encoder does not read well by itself; a mode that is not in it hears
            no statements.
        familiar: Mode → λ of the other lines, of which the text encoder tells most already.
        covariance: float32 [A, A] of z over faces; empty where claims count each for itself.
        known: Pairs of words of the phrasing that the text encoder was taught: see `words.phrasing`.
        origin: What it was made from, as texts; `weights_sha256` and `face_encoder_sha256` are the model's.
    """

    attributes: tuple[str, ...]
    blocks: tuple[str, ...]
    weights: Mapping[str, FloatArray]
    means: FloatArray
    usual: FloatArray
    calibration: FloatArray
    strength: Mapping[str, float]
    known: frozenset[str]
    origin: Mapping[str, str]
    familiar: Mapping[str, float] = field(default_factory=dict)
    covariance: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __post_init__(self) -> None:
        count = len(self.attributes)
        shapes = {name: getattr(self, name).shape == (count,) for name in ("means", "usual")}
        shapes |= {"calibration": self.calibration.shape == (count, 4)}
        shapes |= {"covariance": self.covariance.shape in ((0, 0), (count, count))}
        shapes |= {name: len(self.weights.get(name, ())) == count for name in self.blocks}
        if wrong := [name for name, right in shapes.items() if not right]:
            raise CheckpointError("statements", found=f"another shape of {', '.join(wrong)}", expected=f"{count} rows")

    @property
    def digest(self) -> str:
        """Of all that moves a score or a probability."""
        arrays = {f"weights.{name}": self.weights[name] for name in self.blocks}
        told = [self.attributes, sorted(self.strength.items()), sorted(self.known)]
        arrays |= {"means": self.means, "usual": self.usual, "calibration": self.calibration}
        if self.familiar or self.covariance.size:
            told.append(sorted(self.familiar.items()))
            arrays |= {"covariance": self.covariance}
        return hashlib.sha256(f"{arrays_sha256(arrays)} {json.dumps(told)}".encode()).hexdigest()

    def claims(self, lines: Sequence[str], mode: str) -> dict[str, float]:
        """λ times what is claimed: attribute → above 0 where it is asserted, below where it is denied.

        λ is that of lines in other words where any of them says something of the attribute.

        Args:
            lines: Of one description.
            mode: `image`, `caption` or `fused`.
        """
        others, read = set(self.unfamiliar(lines)), read_lines(lines)
        apart = {said.attribute for said in read.statements if said.line in others}
        strength, familiar = self.strength.get(mode, 0.0), self.familiar.get(mode, 0.0)
        weighed = {name: (strength if name in apart else familiar) * value for name, value in read.claims.items()}
        return {name: value for name, value in weighed.items() if value and name in self.attributes}

    def weights_of(self, claims: Mapping[str, float]) -> dict[str, float]:
        """Attribute → v, what its z weighs in a score.

        Given that somebody has the attributes that were claimed, z of faces is normally distributed about the claims
        with the covariance Σ of z plus `NOISE`: the log of how much likelier a face is then is linear in z, with the
        weights (Σ + NOISE)⁻¹·claims over the claimed attributes. They are scaled so that one claim alone weighs itself,
        and none may turn against what was said.
        """
        names = list(claims)
        if len(names) < 2 or not self.covariance.size:
            return dict(claims)
        rows = [self.attributes.index(name) for name in names]
        own = self.covariance[np.ix_(rows, rows)].astype(np.float64) + NOISE * np.eye(len(rows))
        said = np.array([claims[name] for name in names])
        weights = np.linalg.solve(own, said * np.diag(own))
        kept = np.where(weights * said > 0, weights, 0.0)
        return dict(zip(names, kept.tolist(), strict=True))

    def heard(self, lines: Sequence[str]) -> tuple[str, ...]:
        """The lines as the text encoder gets them: without what they deny, where they are put in other words."""
        kept = (line if is_familiar(line, self.known) else without_denials(line) for line in lines)
        return tuple(line for line in kept if line)

    def unfamiliar(self, lines: Sequence[str]) -> tuple[int, ...]:
        """The numbers of the lines that are put otherwise than the text encoder was taught."""
        return tuple(at for at, line in enumerate(lines) if not is_familiar(line, self.known))

    def stated(self, claims: Sequence[Mapping[str, float]], layout: Layout) -> Stated:
        """What is stated of N probes, as parts of their queries.

        Args:
            claims: N, as `claims` gives them.
            layout: (block, dimension) of the index, in its order.
        """
        width = sum(dim for _, dim in layout)
        whole, out = self.placed(layout), Stated.nothing(len(claims), width)
        for at, own in enumerate(claims):
            for name, weight in self.weights_of(own).items():
                row = self.attributes.index(name)
                out.queries[at] += np.float32(weight) * whole[row]
                out.offsets[at] -= weight * float(self.means[row])
        return out

    def placed(self, layout: Layout) -> FloatArray:
        """The directions in the order of an index, float32 [A, D].

        Raises:
            CheckpointError: The index has not their blocks.
        """
        there = dict(layout)
        if lacks := [n for n in self.blocks if there.get(n) != self.weights[n].shape[1]]:
            raise CheckpointError("statements", found=f"directions of {', '.join(lacks)}", expected=f"{list(layout)}")
        parts = [self.weights.get(name, np.zeros((len(self.attributes), dim), np.float32)) for name, dim in layout]
        return np.concatenate(parts, axis=1)

    def seen(self, blocks: Mapping[str, npt.NDArray[np.floating]]) -> npt.NDArray[np.float64]:
        """What N faces show, z of each attribute: [N, A]; 0 is as usual, 1 one spread of the labels more.

        Args:
            blocks: Block → [N, dimension].
        """
        parts = (blocks[name].astype(np.float64) @ self.weights[name].astype(np.float64).T for name in self.blocks)
        return np.asarray(sum(parts) - self.means.astype(np.float64))

    def probabilities(
        self, blocks: Mapping[str, npt.NDArray[np.floating]], quality: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float64]:
        """Calibrated probabilities that each attribute would be seen in N faces: [N, A].

        Args:
            blocks: As `seen`.
            quality: [N], predicted; 1 of a good picture.
        """
        z, q = self.seen(blocks), np.asarray(quality, np.float64)[:, None]
        a, b, c, d = self.calibration.astype(np.float64).T
        return np.asarray(1 / (1 + np.exp(-((a + b * q) * z + c + d * q))))


def write_directions(folder: Path, own: Directions) -> Path:
    """Writes directions, without their card. Returns the file's path.

    Args:
        folder: `FOLDER` in the model's folder.
        own: What to write; float16 is enough for directions.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        f"weights.{name}": own.weights[name].astype(np.float16) for name in own.blocks
    }
    told = {
        "format": FORMAT,
        "attributes": json.dumps(own.attributes),
        "blocks": json.dumps(own.blocks),
        "strength": json.dumps(dict(own.strength), sort_keys=True),
        "familiar": json.dumps(dict(own.familiar), sort_keys=True),
        "known": json.dumps(sorted(own.known)),
        **own.origin,
    }
    if own.covariance.size:
        arrays["covariance"] = own.covariance
    return write_shipped(
        folder, {**arrays, "means": own.means, "usual": own.usual, "calibration": own.calibration}, told
    )


def read_directions(folder: Path, contract: Mapping[str, str]) -> Directions:
    """The directions of a model.

    Args:
        folder: `FOLDER` in the model's folder.
        contract: The model's: `weights_sha256`, `face_encoder_sha256`.

    Raises:
        CheckpointError: They are damaged, or those of another model.
    """
    arrays, told = read_shipped(FOLDER, folder)
    do = f"make them anew: tgfr-search model fit-statements {folder.parent}"
    if told.get("format") != FORMAT:
        raise CheckpointError(f"{folder}", found=f"format {told.get('format')!r}", expected=f"format {FORMAT}", do=do)
    for name in ("weights_sha256", "face_encoder_sha256"):
        if told.get(name) != contract[name]:
            raise CheckpointError(
                f"{folder}", found=f"statements of a model with {name} {told.get(name)}", expected=contract[name], do=do
            )
    blocks = tuple(json.loads(told.pop("blocks")))
    return Directions(
        attributes=tuple(json.loads(told.pop("attributes"))),
        blocks=blocks,
        weights={name: arrays[f"weights.{name}"].astype(np.float32) for name in blocks},
        means=arrays["means"].astype(np.float32),
        usual=arrays["usual"].astype(np.float32),
        calibration=arrays["calibration"].astype(np.float32),
        strength=json.loads(told.pop("strength")),
        familiar=json.loads(told.pop("familiar", "{}")),
        covariance=arrays.get("covariance", np.empty((0, 0))).astype(np.float32),
        known=frozenset(json.loads(told.pop("known"))),
        origin=told,
    )
