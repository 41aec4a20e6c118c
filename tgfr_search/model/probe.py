"""The way to make a query from a probe, and to score it: search, benchmark, explanation and fit all go through here.

A probe is a face, lines of a description, or both. Its blocks are weighed by its predicted quality (`model.scoring`)
and folded into one query vector; score(probe, row) = ⟨query, row⟩ + offset, so that one index answers every mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.blocks import TERMS
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.statements import Stated
from tgfr_search.model.tgfr import LineReader
from tgfr_search.types import ByteArray, FloatArray, Templates

Layout = Sequence[tuple[str, int]]
Floating = TypeVar("Floating", np.float32, np.float64)


@dataclass(frozen=True)
class Probes:
    """N probes, ready to be searched with.

    Attributes:
        modes: N times what the search is made with: `image`, `caption` or `fused`.
        quality: float32 [N], predicted quality of each face; 0 where there is none.
        queries: float32 [N, D], in the order of the index.
        offsets: float64 [N], what an inner product must be raised by to be a score.
        scoring: The weights that were folded in.
        stated: The part of both that is due to statements of the descriptions (`model.statements`).
        shown: float64 [N, A], calibrated probabilities of what each face shows, A as `model.directions`; NaN where
            there is no face, and no column where the model has no directions.
        pictures: float32 [N, D] and float64 [N], queries and offsets of the same faces alone; None where the
            templates were not there, or no such weights.
    """

    modes: tuple[str, ...]
    quality: FloatArray
    queries: FloatArray
    offsets: npt.NDArray[np.float64]
    scoring: ScoreModel
    stated: Stated
    shown: npt.NDArray[np.float64]
    pictures: tuple[FloatArray, npt.NDArray[np.float64]] | None = None

    def __len__(self) -> int:
        return len(self.queries)

    def weights(self, at: int) -> dict[str, float]:
        """Term → its weight for one probe."""
        return self.scoring.at(self.modes[at], float(self.quality[at]))

    def dense(self) -> FloatArray:
        """The queries with their offsets, float32 [N, D + 1]: inner products with `dense_rows` are the scores."""
        return np.concatenate([self.queries, self.offsets.astype(np.float32)[:, None]], axis=1)

    def alone(self) -> Probes:
        """The same faces without a word, as probes of mode `image`.

        Raises:
            ValueError: Nobody kept the templates that these were made of.
        """
        if self.pictures is None:
            raise ValueError("pictures: found None, expected probes that `weigh` made")
        queries, offsets = self.pictures
        modes, none = ("image",) * len(self), Stated.nothing(*queries.shape)
        return Probes(modes, self.quality, queries, offsets, self.scoring, none, self.shown, self.pictures)

    @staticmethod
    def concat(parts: Sequence[Probes]) -> Probes:
        """The probes of all parts, one after another; one score model has weighed them."""
        alone = [part.pictures for part in parts if part.pictures is not None]
        queries, offsets = ([own[side] for own in alone] for side in (0, 1))
        return Probes(
            tuple(mode for part in parts for mode in part.modes),
            np.concatenate([part.quality for part in parts]),
            np.concatenate([part.queries for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            parts[0].scoring,
            Stated.concat([part.stated for part in parts]),
            np.concatenate([part.shown for part in parts]),
            (np.concatenate(queries), np.concatenate(offsets)) if len(alone) == len(parts) else None,
        )

    def take(self, rows: npt.NDArray[np.intp]) -> Probes:
        """Some of the probes, in that order."""
        modes = tuple(self.modes[at] for at in rows)
        stated = self.stated.take(rows)
        quality, queries, offsets = self.quality[rows], self.queries[rows], self.offsets[rows]
        pictures = None if self.pictures is None else (self.pictures[0][rows], self.pictures[1][rows])
        return Probes(modes, quality, queries, offsets, self.scoring, stated, self.shown[rows], pictures)


def resolve_mode(mode: str, has_image: bool, has_caption: bool) -> str:
    """What a query of `mode` searches with, given what the probe has.

    `auto` and `fused` use whatever there is, so that a fused query without a caption is exactly the image-only query.

    Returns:
        `image`, `caption` or `fused`; empty where the probe lacks what the mode needs.
    """
    if mode in ("auto", "fused"):
        if has_image and has_caption:
            return "fused"
        return "image" if has_image else "caption" if has_caption else ""
    has = has_image if mode == "image" else has_caption
    return mode if has else ""


def weigh(
    templates: Templates,
    quality: FloatArray,
    modes: Sequence[str],
    scoring: ScoreModel,
    layout: Layout,
    stated: Stated | None = None,
    shown: npt.NDArray[np.float64] | None = None,
) -> Probes:
    """Probes of templates that are there already.

    Args:
        templates: Of N probes; absent blocks are zero.
        quality: [N], predicted; 0 where there is no face.
        modes: N times `image`, `caption` or `fused`.
        scoring: Weights of the terms.
        layout: (block, dimension) of the index, in its order.
        stated: What their descriptions state; None is nothing.
        shown: What their faces show; None where that is not told.
    """
    queries, offsets = scoring.queries(templates, quality, modes, layout), scoring.offsets_of(modes, quality)
    pictures, alone = None, ["image"] * len(modes)
    if "image" in scoring.weights:
        pictures = scoring.queries(templates, quality, alone, layout), scoring.offsets_of(alone, quality)
    own = stated or Stated.nothing(*queries.shape)
    cards = np.empty((len(queries), 0)) if shown is None else shown
    return Probes(tuple(modes), quality, queries + own.queries, offsets + own.offsets, scoring, own, cards, pictures)


def make_probes(
    model: FaceTextModel,
    faces: FaceFeatures | None,
    lines: Sequence[Sequence[str]],
    modes: Sequence[str],
    read: LineReader | None = None,
) -> Probes:
    """Probes of encoded faces and descriptions.

    Args:
        model: What encodes and weighs.
        faces: Features of N faces on the model's device, or None where no probe has one.
        lines: N tuples of lines of a description, any of them empty; a search by `image` reads none.
        modes: N times `image`, `caption` or `fused`, as `resolve_mode` has them.
        read: Stands in for the text encoder where lines are encoded already.
    """
    said = [() if mode == "image" else own for mode, own in zip(modes, lines, strict=True)]
    embedded = model.tgfr.embed(faces, heard_lines(model, said, modes), read)
    quality = embedded.quality if faces is not None else np.zeros(len(modes), np.float32)
    stated = stated_lines(model, said, modes)
    shown = shown_in(model, embedded.templates, quality, there=faces is not None)
    return weigh(embedded.templates, quality, modes, model.scoring, model.tgfr.layout, stated, shown)


def weigh_faces(
    model: FaceTextModel, templates: Templates, quality: FloatArray, lines: Sequence[str], modes: Sequence[str]
) -> Probes:
    """Probes of templates of N faces of one person, with what is said of that person.

    Args:
        model: Whose templates.
        templates: Of N probes; those of words are of the lines as `heard_lines` has them.
        quality: [N], predicted.
        lines: Of the description.
        modes: N times `image` or `fused`.
    """
    stated = stated_lines(model, [lines] * len(modes), modes)
    shown = shown_in(model, templates, quality)
    return weigh(templates, quality, modes, model.scoring, model.tgfr.layout, stated, shown)


def shown_in(
    model: FaceTextModel, templates: Templates, quality: FloatArray, *, there: bool = True
) -> npt.NDArray[np.float64]:
    """What N faces show: probabilities [N, A], or no column where the model has no directions.

    Args:
        model: Whose directions.
        templates: Of N faces.
        quality: [N], predicted.
        there: Whether there are faces at all; else NaN.
    """
    own = model.directions
    if own is None:
        return np.empty((len(templates), 0))
    if not there:
        return np.full((len(templates), len(own.attributes)), np.nan)
    return own.probabilities(templates.blocks, quality)


def heard_lines(model: FaceTextModel, lines: Sequence[Sequence[str]], modes: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines of N descriptions as the text encoder gets them: without denials where statements stand for these."""
    own = model.directions
    return [
        own.heard(each) if own is not None and model.states(mode) else tuple(each)
        for each, mode in zip(lines, modes, strict=True)
    ]


def stated_lines(model: FaceTextModel, lines: Sequence[Sequence[str]], modes: Sequence[str]) -> Stated:
    """What N descriptions state, as parts of their queries."""
    own, layout = model.directions, model.tgfr.layout
    if own is None:
        return Stated.nothing(len(lines), sum(dim for _, dim in layout))
    return own.stated([own.claims(each, mode) for each, mode in zip(lines, modes, strict=True)], layout)


def make_probes_of_faces(
    model: FaceTextModel,
    faces: Sequence[ByteArray | None],
    lines: Sequence[Sequence[str]],
    modes: Sequence[str],
) -> Probes:
    """Probes of aligned faces and descriptions, those without a face encoded apart.

    Args:
        model: What encodes and weighs.
        faces: N times uint8 [S, S, 3], aligned as the model wants it, or None.
        lines: As `make_probes`.
        modes: As `make_probes`.
    """
    parts, order = [], []
    for there in (True, False):
        rows = [at for at, face in enumerate(faces) if (face is not None) == there]
        if not rows:
            continue
        pixels = [face for at in rows if (face := faces[at]) is not None]
        features = model.face_encoder.encode(np.stack(pixels)) if there else None
        parts.append(make_probes(model, features, [lines[at] for at in rows], [modes[at] for at in rows]))
        order += rows
    return Probes.concat(parts).take(np.argsort(order))


def rows_of(templates: Templates, layout: Layout) -> FloatArray:
    """Templates as rows of an index, float32 [G, D]."""
    return np.concatenate([templates.blocks[name] for name, _ in layout], axis=1)


def dense_rows(templates: Templates, layout: Layout) -> FloatArray:
    """Templates as rows of an index with a 1 for the probe's offset, float32 [G, D + 1]: see `Probes.dense`."""
    return np.concatenate([rows_of(templates, layout), np.ones((len(templates), 1), np.float32)], axis=1)


def score(probes: Probes, rows: FloatArray) -> npt.NDArray[np.float64]:
    """Scores of N probes against G rows, [N, G]: inner products in float32, as an index has them, and the offsets.

    Args:
        probes: N.
        rows: float32 [G, D], in the order of the index.
    """
    return np.asarray(probes.queries @ rows.T, np.float64) + probes.offsets[:, None]


def term_scores(
    probes: Mapping[str, npt.NDArray[Floating]], rows: Mapping[str, npt.NDArray[Floating]]
) -> dict[str, npt.NDArray[Floating]]:
    """Every term of which both sides are there, unweighted.

    Args:
        probes: Block → [N, dim].
        rows: Block → [G, dim].

    Returns:
        Term → [N, G], in the arithmetic of what is given.
    """
    return {
        name: probes[term.probe.name] @ rows[term.gallery.name].T
        for name, term in TERMS.items()
        if term.probe.name in probes and term.gallery.name in rows
    }
