"""From probes that are ready to be searched with to the answers: candidates, and what must be told beside them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from indexer import Store, SubjectHit
from indexer.milvus import MilvusStore
from pipelines.search.answers.card import compared, shown
from pipelines.search.answers.notes import query_notes
from pipelines.search.answers.typical import Typical
from pipelines.search.answers.understood import understood
from tgfr_search.forensic.pairs import Floats
from tgfr_search.model.blocks import STATEMENTS
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.model.statements import Claims
from tgfr_search.types import AlignedFace, FloatArray, QueryResult, SearchHit
from tgfr_search.words.read import read_lines


@dataclass(frozen=True, slots=True)
class Asked:
    """How is searched: see `Gallery.query`."""

    mode: str
    top_k: int
    aggregate: Literal["max", "mean"]
    where: str | None


class Clock:
    """Milliseconds of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.at = time.perf_counter()

    def lap(self, name: str) -> None:
        """A stage has ended."""
        now = time.perf_counter()
        self.laps[name], self.at = 1000 * (now - self.at), now

    def share(self, count: int) -> dict[str, float]:
        """Of each of so many probes."""
        return {name: round(ms / count, 3) for name, ms in self.laps.items()}


def answers(
    store: Store | MilvusStore,
    model: FaceTextModel,
    made: Probes,
    faces: Sequence[AlignedFace | None],
    lines: Sequence[tuple[str, ...]],
    given: Sequence[tuple[str, ...]],
    asked: Asked,
    clock: Clock,
    typical: Typical | None = None,
) -> list[QueryResult]:
    """Searches one generation of an index with N probes.

    Args:
        store: The index, pinned: a commit must not come between hits and rows.
        model: What encoded the probes.
        made: N probes.
        faces: Their faces.
        lines: What is said of each.
        given: The same as it was given.
        asked: How is searched.
        clock: Has the laps before; `encode` ends now.
        typical: Scores the head of the lists again; None leaves them as the inner product has them, as do means.
    """
    clock.lap("encode")
    again = typical if asked.aggregate == "max" else None
    count = asked.top_k if again is None else again.head(asked.top_k)
    hits = store.search_subjects(made.queries, count, asked.aggregate, where=asked.where)
    added = [np.zeros(len(own)) for own in hits]
    if again is not None:
        better = [again.rescored(store, made, at, own, len(lines[at]), asked.top_k) for at, own in enumerate(hits)]
        hits, added = [own for own, _ in better], [own for _, own in better]
    claims = [_claims(own) if mode != "image" else {} for own, mode in zip(lines, made.modes, strict=True)]
    candidates = [_candidates(store, model, made, at, own, claims[at], added[at]) for at, own in enumerate(hits)]
    clock.lap("search")
    digest = store.manifest.digest if isinstance(store, Store) else ""
    cut = [model.tgfr.tokenize(own).truncated if own else 0 for own in lines]
    return [
        QueryResult(
            candidates=candidates[i],
            probe={
                **seen_in(faces[i], float(made.quality[i])),
                "attributes": {} if faces[i] is None else _shown(model, made.shown[i]),
                "captions_truncated": cut[i],
            },
            mode=made.modes[i],
            weights=made.weights(i),
            offset=float(made.offsets[i] - made.stated.offsets[i]),
            model_id=model.model_id,
            index_id=f"{store.index_id}@{store.generation}",
            index_sha256=digest,
            timing_ms=clock.share(len(made)),
            where=asked.where,
            notes=query_notes(asked.mode, made.modes[i], given[i], lines[i], cut[i], faces[i]),
            description=understood(model, lines[i], made.modes[i]),
            face=faces[i],
        )
        for i in range(len(made))
    ]


def _candidates(
    store: Store | MilvusStore,
    model: FaceTextModel,
    made: Probes,
    number: int,
    hits: Sequence[SubjectHit],
    claims: Claims,
    added: Floats,
) -> tuple[SearchHit, ...]:
    rows = store.rows([hit.row_id for hit in hits], chips=False)
    vectors, stated = store.vectors([hit.row_id for hit in hits]), made.stated.queries[number]
    parts = store.split(vectors * (made.queries[number] - stated))
    offset, own = float(made.offsets[number]), float(made.stated.offsets[number])
    shares = vectors @ stated + own if stated.any() else None
    cards = cards_of(model, store.split(vectors))
    return tuple(
        SearchHit(
            rank=at + 1,
            subject_id=hit.subject_id,
            row_id=hit.row_id,
            score=hit.score + offset,
            blocks={name: float(part[at].sum()) for name, part in parts.items()}
            | ({} if shares is None else {STATEMENTS.name: float(shares[at])}),
            image=row.image,
            caption=" ".join(row.captions),
            auto_caption=row.caption_source if row.captions else None,
            attributes=cards[at],
            statements=tuple(compared(claims, cards[at])),
            typicality=float(added[at]),
        )
        for at, (hit, row) in enumerate(zip(hits, rows, strict=True))
    )


def cards_of(model: FaceTextModel, blocks: Mapping[str, FloatArray]) -> list[dict[str, float]]:
    """What each of N rows shows; empty where the model does not tell. A gallery's pictures count as good ones.

    Args:
        model: Of the rows.
        blocks: Block → [N, dimension].
    """
    count, own = len(next(iter(blocks.values()))), model.directions
    if own is None:
        return [{}] * count
    return [shown(own, each) for each in own.probabilities(blocks, np.ones(count))]


def _claims(lines: Sequence[str]) -> dict[str, float]:
    """What a description says, whoever reads it for the score."""
    return read_lines(lines).claims


def _shown(model: FaceTextModel, probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
    return {} if model.directions is None else shown(model.directions, probabilities)


def seen_in(face: AlignedFace | None, predicted: float) -> dict[str, Any]:
    """What the answer says of the probe's photo."""
    if face is None:
        return {"sha256": None, "quality": None, "faces": [], "box": None}
    quality = {**face.quality.as_dict(), "predicted": round(predicted, 4)}
    faces = [{"number": at + 1, **asdict(each)} for at, each in enumerate(face.seen)]
    return {"sha256": face.source_sha256, "quality": quality, "faces": faces, "box": face.box}
