"""What raised or lowered a candidate's score: terms, words, and regions of the probe's face.

Terms are exact: they and the offset add up to the score. Words and regions are measured by leaving them out: the probe
is encoded again without the word, or with the region blurred, and the score of the same candidate is taken again under
the same weights. That explains the score that this model gave; whether two pictures show one person it does not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.search.explain.explained import GRID, Explained, Explanation, Said, Share
from pipelines.search.explain.said import phrases_of, without, words_of
from pipelines.search.gallery import Gallery
from pipelines.search.probes.probe import Image, probe_face, said_lines
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import heard_lines, stated_lines, term_scores
from tgfr_search.types import ByteArray, FloatArray, QueryResult, SearchHit, Templates
from tgfr_search.words.read import read_lines
from tgfr_search.words.reading import Statement

Floats = npt.NDArray[np.float64]

SPREAD = 1.5
"""Side of a blurred patch in cells: patches overlap, so that no feature is missed for lying on a border."""

BLUR = 0.14
"""Standard deviation of the blur in sides of the chip: nothing of a feature is left, light and skin tone are."""

TOLERANCE = 1e-4
"""Of the sum of the terms' sizes: float32 scores are that exact."""


def explain(
    gallery: Gallery,
    result: QueryResult,
    image: Image | None = None,
    caption: str | Sequence[str] = (),
    *,
    count: int = 3,
) -> Explained:
    """Explains the first candidates of a query by the best row of each.

    Args:
        gallery: That was searched.
        result: What the search found, with `aggregate="max"`: a mean over rows is no score of a row.
        image: The probe that was searched with, where `result` does not have its face (any more).
        caption: The description that was searched with.
        count: Candidates explained, from the first.

    Raises:
        InputError: `count` is below 1, the scores are not those of this probe, or were means over rows.
    """
    if count < 1:
        raise InputError("explain", found=str(count), expected="1 or more candidates")
    hits = result.candidates[:count]
    lines = said_lines(caption) if result.mode != "image" else ()
    face = result.face or (None if result.mode == "caption" else probe_face(gallery.finder, image))
    chip = None if face is None else face.pixels
    features = None if chip is None else gallery.model.face_encoder.encode(chip[None])
    vectors = gallery.store.vectors([hit.row_id for hit in hits])
    rows = gallery.store.split(vectors)
    shares = _shares(gallery.model, lines, result.mode, rows)
    # Alone in its batch, as the query was: in reduced precision the last bits depend on what is encoded together.
    heard = heard_lines(gallery.model, [lines], [result.mode])
    terms = _terms(gallery.model.tgfr.embed(features, heard).templates, result.weights, rows)
    centres = {term: weight * gallery.model.scoring.centres.get(term, 0.0) for term, weight in result.weights.items()}
    offset = result.offset + sum(centres.values())
    totals = _totals(hits, terms, shares, result.offset)
    spans = [(at, span) for find in (words_of, phrases_of) for at, line in enumerate(lines) for span in find(line)]
    captions = [lines, *(without(lines, at, span) for at, span in spans)]
    effects = _effects_of_lines(gallery.model, features, captions, result, vectors, rows)
    regions = None
    if chip is not None:
        hidden = gallery.model.embed(np.concatenate([chip[None], occluded(chip)]), heard * (1 + GRID**2))
        regions = _effects(hidden.templates, result.weights, rows).reshape(GRID, GRID, len(hits))
    word_count = sum(len(words_of(line)) for line in lines)
    out = []
    for k, hit in enumerate(hits):
        said = tuple(
            Said(at, start, end, lines[at][start:end], float(effects[i, k]))
            for i, (at, (start, end)) in enumerate(spans)
        )
        own = {term: float(part[0, k]) - centres[term] for term, part in terms.items()}
        grid = None if regions is None else tuple(tuple(row) for row in regions[:, :, k].tolist())
        words, phrases = said[:word_count], said[word_count:]
        named = hit.rank, hit.subject_id, hit.row_id
        out.append(Explanation(*named, totals[k], own, offset, words, phrases, grid, shares[k], hit.typicality))
    return Explained(tuple(out), lines, chip)


def _shares(
    model: FaceTextModel, lines: Sequence[str], mode: str, rows: Mapping[str, FloatArray]
) -> list[tuple[Share, ...]]:
    """What each claim of a description adds to the score of each of K rows."""
    count, own = len(next(iter(rows.values()))), model.directions
    if own is None or not model.states(mode):
        return [()] * count
    reading = read_lines(lines)
    weights, seen = own.weights_of(own.claims(lines, mode)), own.seen(rows)
    said: dict[str, list[Statement]] = {}
    for statement in reading.statements:
        said.setdefault(statement.attribute, []).append(statement)
    return [
        tuple(
            Share(
                name,
                reading.claims[name],
                tuple(lines[s.line][min(s.start, (s.cue or (s.start,))[0]) : s.end] for s in said[name]),
                weight * float(seen[k, own.attributes.index(name)]),
            )
            for name, weight in weights.items()
        )
        for k in range(count)
    ]


def occluded(chip: ByteArray) -> ByteArray:
    """The chip with each cell's patch blurred, softly at its border: uint8 [GRID², S, S, 3], row by row."""
    side = len(chip)
    blurred = cv2.GaussianBlur(chip, (0, 0), BLUR * side)
    cell = side / GRID
    centres = (np.arange(GRID) + 0.5) * cell
    away = np.abs(np.arange(side)[None, :] + 0.5 - centres[:, None])
    # 1 inside, 0 outside, linear over half a cell: a hard edge would be a feature itself.
    along = np.clip((SPREAD * cell / 2 + cell / 4 - away) / (cell / 2), 0, 1)
    masks = (along[:, None, :, None] * along[None, :, None, :]).reshape(GRID**2, side, side, 1)
    return np.asarray(np.rint(masks * blurred + (1 - masks) * chip), np.uint8)


def _terms(probes: Templates, weights: Mapping[str, float], rows: Mapping[str, FloatArray]) -> dict[str, Floats]:
    """Term → weighted scores [M, K] of M probes against K rows."""
    scores = term_scores(_exact(probes.blocks), _exact(rows))
    return {term: weight * scores[term] for term, weight in weights.items()}


def _exact(blocks: Mapping[str, FloatArray]) -> dict[str, Floats]:
    return {name: block.astype(np.float64) for name, block in blocks.items()}


def _effects(probes: Templates, weights: Mapping[str, float], rows: Mapping[str, FloatArray]) -> Floats:
    """[M − 1, K]: the score of the first probe, which is whole, less those of the others."""
    scores: Floats = np.sum(list(_terms(probes, weights, rows).values()), axis=0)
    return scores[:1] - scores[1:]


def _totals(
    hits: Sequence[SearchHit],
    terms: Mapping[str, Floats],
    shares: Sequence[Sequence[Share]],
    offset: float,
) -> list[float]:
    """The score of each candidate, added up of its parts.

    Raises:
        InputError: It is not what the search told.
    """
    totals = []
    for k, hit in enumerate(hits):
        stated = sum(own.adds for own in shares[k])
        totals.append(sum(float(part[0, k]) for part in terms.values()) + stated + offset + hit.typicality)
        _check(hit, totals[-1], terms)
    return totals


def _effects_of_lines(
    model: FaceTextModel,
    features: FaceFeatures | None,
    captions: Sequence[Sequence[str]],
    result: QueryResult,
    vectors: FloatArray,
    rows: Mapping[str, FloatArray],
) -> Floats:
    """[M − 1, K]: the scores of K rows by the first of M descriptions, which is whole, less those by the others."""
    repeated = None if features is None else FaceFeatures(*(x.expand(len(captions), *x.shape[1:]) for x in features))
    modes = [result.mode] * len(captions)
    told = model.tgfr.embed(repeated, heard_lines(model, captions, modes)).templates
    stated = stated_lines(model, captions, modes)
    moved = stated.queries.astype(np.float64) @ vectors.astype(np.float64).T + stated.offsets[:, None]
    return _effects(told, result.weights, rows) + moved[:1] - moved[1:]


def _check(hit: SearchHit, score: float, terms: Mapping[str, Floats]) -> None:
    scale = max(1.0, sum(float(np.abs(part).max()) for part in terms.values()))
    if abs(score - hit.score) > TOLERANCE * scale:
        raise InputError(
            f"explanation of candidate {hit.rank}",
            found=f"a score of {hit.score:.4f}, where this probe and the candidate's best row give {score:.4f}",
            expected="the probe and description that were searched with, and a subject's score that is its best row's",
            do="explain with --aggregate max",
        )
