"""What raised or lowered a candidate's score: terms, words, and regions of the probe's face.

Terms are exact: they and the offset add up to the score. Words and regions are measured by leaving them out: the probe
is encoded again without the word, or with the region blurred, and the score of the same candidate is taken again under
the same weights. That explains the score that this model gave; whether two pictures show one person it does not say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.search.gallery import Gallery
from pipelines.search.probes.probe import Image, probe_face, said_lines
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import FaceTextModel
from tgfr_search.model.probe import heard_lines, stated_lines, term_scores
from tgfr_search.types import ByteArray, FloatArray, QueryResult, SearchHit, Templates
from tgfr_search.words.read import Statement, read_lines

Floats = npt.NDArray[np.float64]

GRID = 7
"""Cells along each side of the probe's chip."""

SPREAD = 1.5
"""Side of a blurred patch in cells: patches overlap, so that no feature is missed for lying on a border."""

BLUR = 0.14
"""Standard deviation of the blur in sides of the chip: nothing of a feature is left, light and skin tone are."""

TOLERANCE = 1e-4
"""Of the sum of the terms' sizes: float32 scores are that exact."""

EXPLAIN_NOTICE = (
    "This shows what moved this score, not whether two pictures show one person. A word's or region's share is the "
    "change of the score when it alone is left out; such changes need not add up."
)

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those he she it they his her its their him them who which is are was were be been "
        "being has have had having wears wear wearing wore with and or but also of in on at to for by as there looks "
        "look seems person man woman photo picture very quite rather some",
    )
)
"""Words between which phrases lie; alone they are words like any other."""


@dataclass(frozen=True, slots=True)
class Said:
    """A word or phrase of the description and what it did.

    Attributes:
        line: Which caption line, from 0.
        start: First character in the line.
        end: One past the last.
        text: Itself.
        effect: Score less the score without it: positive where it raised the score.
    """

    line: int
    start: int
    end: int
    text: str
    effect: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one statement of the description adds to a score.

    Attributes:
        attribute: It is about.
        claim: −1 (surely denied) to 1 (surely asserted).
        words: Of the description that say so.
        adds: Exactly.
    """

    attribute: str
    claim: float
    words: tuple[str, ...]
    adds: float


@dataclass(frozen=True)
class Explanation:
    """Why one candidate has its score.

    Attributes:
        rank: Of the candidate.
        subject_id: Whose template it is.
        row_id: The row.
        score: Σ `terms` + Σ what `statements` add + `offset` + `typicality`.
        terms: Term → what it adds: its weight for this probe times (block score − that term's mean impostor score).
        offset: The probe's own part, the same for every candidate.
        words: Every word of the description.
        phrases: Runs of two and more words that say one thing (`black hair`).
        regions: [GRID][GRID], rows from the top of the probe's chip: score less the score with that patch blurred; None
            where the search used no image.
        statements: What the description states, where that moves the score by itself and not by the text encoder.
        typicality: What how probe and record stand to strangers adds.
    """

    rank: int
    subject_id: str
    row_id: int
    score: float
    terms: Mapping[str, float]
    offset: float
    words: tuple[Said, ...]
    phrases: tuple[Said, ...]
    regions: tuple[tuple[float, ...], ...] | None
    statements: tuple[Share, ...] = ()
    typicality: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Explained:
    """The explanations of a query's first candidates.

    Attributes:
        candidates: Best first.
        lines: The description's lines, as the words' places count in them.
        chip: uint8 [S, S, 3], the probe's aligned face; None where the search used no image.
        notice: What this does not say.
    """

    candidates: tuple[Explanation, ...]
    lines: tuple[str, ...]
    chip: ByteArray | None
    notice: str = EXPLAIN_NOTICE

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the picture."""
        return {
            "notice": self.notice,
            "grid": GRID,
            "lines": list(self.lines),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


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
    totals = [
        sum(float(part[0, k]) for part in terms.values())
        + sum(own.adds for own in shares[k])
        + result.offset
        + hit.typicality
        for k, hit in enumerate(hits)
    ]
    for hit, total in zip(hits, totals, strict=True):
        _check(hit, total, terms)
    spans = [(at, span) for find in (words_of, phrases_of) for at, line in enumerate(lines) for span in find(line)]
    captions = [lines, *(_without(lines, at, span) for at, span in spans)]
    repeated = None if features is None else FaceFeatures(*(x.expand(len(captions), *x.shape[1:]) for x in features))
    modes = [result.mode] * len(captions)
    told = gallery.model.tgfr.embed(repeated, heard_lines(gallery.model, captions, modes)).templates
    effects = _effects(told, result.weights, rows)
    stated = stated_lines(gallery.model, captions, modes)
    moved = stated.queries.astype(np.float64) @ vectors.astype(np.float64).T + stated.offsets[:, None]
    effects = effects + moved[:1] - moved[1:]
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


def share_text(said: Share) -> str:
    """A statement as a row of the table: "stated: not eyeglasses ("no eyeglasses")"."""
    words = ", ".join(f'"{each}"' for each in said.words)
    perhaps = "perhaps " if abs(said.claim) < 1 else ""
    return f"stated: {perhaps}{'' if said.claim > 0 else 'not '}{said.attribute.replace('_', ' ')} ({words})"


def _shares(
    model: FaceTextModel, lines: Sequence[str], mode: str, rows: Mapping[str, FloatArray]
) -> list[tuple[Share, ...]]:
    """What each claim of a description adds to the score of each of K rows."""
    count, own = len(next(iter(rows.values()))), model.directions
    if own is None or not model.states(mode):
        return [()] * count
    claims, seen = own.claims(lines), own.seen(rows)
    said: dict[str, list[Statement]] = {}
    for statement in read_lines(lines).statements:
        said.setdefault(statement.attribute, []).append(statement)
    return [
        tuple(
            Share(
                name,
                value,
                tuple(lines[s.line][min(s.start, (s.cue or (s.start,))[0]) : s.end] for s in said[name]),
                own.strength[mode] * value * float(seen[k, own.attributes.index(name)]),
            )
            for name, value in claims.items()
        )
        for k in range(count)
    ]


def words_of(line: str) -> list[tuple[int, int]]:
    """Where the words of a line are: (first character, one past the last)."""
    return [match.span() for match in _WORD.finditer(line)]


def phrases_of(line: str) -> list[tuple[int, int]]:
    """Runs of two and more words that say one thing: neither a filler word nor a mark stands between them."""
    runs: list[list[tuple[int, int]]] = [[]]
    for start, end in words_of(line):
        run = runs[-1]
        if line[start:end].lower() in _FILLERS:
            runs.append([])
        elif run and line[run[-1][1] : start].strip():
            runs.append([(start, end)])
        else:
            run.append((start, end))
    return [(run[0][0], run[-1][1]) for run in runs if len(run) > 1]


def _without(lines: Sequence[str], at: int, span: tuple[int, int]) -> tuple[str, ...]:
    line = lines[at]
    left = f"{line[: span[0]]}{line[span[1] :]}"
    # Two spaces, or one before a full stop, would be changes of their own.
    left = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(left.split()))
    return tuple(left if i == at else own for i, own in enumerate(lines) if i != at or words_of(left))


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


def _check(hit: SearchHit, score: float, terms: Mapping[str, Floats]) -> None:
    scale = max(1.0, sum(float(np.abs(part).max()) for part in terms.values()))
    if abs(score - hit.score) > TOLERANCE * scale:
        raise InputError(
            f"explanation of candidate {hit.rank}",
            found=f"a score of {hit.score:.4f}, where this probe and the candidate's best row give {score:.4f}",
            expected="the probe and description that were searched with, and a subject's score that is its best row's",
            do="explain with --aggregate max",
        )
