"""A search with the words of several witnesses, each with a reliability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.search.answers.answer import Asked, Clock, answers
from pipelines.search.probes.probe import Caption, Image, load_probe, require_english, said_lines, search_mode
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes
from tgfr_search.model.witnesses import Witness, make_probe, weights_of
from tgfr_search.pages.sentences import note
from tgfr_search.types import QueryResult

Told = Witness | tuple[Caption, float]
"""A witness, or (line or lines, reliability)."""


def as_witnesses(told: Sequence[Told] | str) -> tuple[Witness, ...]:
    """Witnesses, checked.

    Raises:
        InputError: None, one who says nothing, or a reliability that is no number from 0 to 1.
    """
    if isinstance(told, str) or not told:
        raise InputError("witnesses", found="none", expected="one or more: Witness(lines, reliability)")
    out = []
    for number, own in enumerate(told, start=1):
        pair = (own.lines, own.reliability) if isinstance(own, Witness) else own
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"witness {number}", found=type(own).__name__, expected="Witness(lines, reliability)")
        lines = said_lines(pair[0])
        if not lines:
            raise InputError(f"witness {number}", found="no word", expected="what the witness said")
        require_english(lines)
        out.append(Witness(lines, pair[1]))
    return tuple(out)


def search_witnesses(
    store: Store | MilvusStore,
    model: FaceTextModel,
    finder: FaceFinder,
    image: Image | None,
    told: Sequence[Told],
    asked: Asked,
    choice: FaceChoice | None = None,
) -> tuple[QueryResult, tuple[str, ...], int]:
    """The answer, all lines that were said, and the rows of the index.

    Args:
        store: The index.
        model: What made it.
        finder: How photos become faces.
        image: The probe photo; None searches by words alone.
        told: The witnesses.
        asked: How is searched.
        choice: Which face of the photo is meant.

    Raises:
        InputError: As `as_witnesses`; a mode that hears no words, or needs a photo that is not there.
        FaceError: The photo gives no usable face.
    """
    witnesses = as_witnesses(told)
    lines = tuple(line for own in witnesses for line in own.lines)
    mode = search_mode(asked.mode, image, lines, lines)
    need_words(mode)
    clock = Clock()
    photo = load_probe(finder, image) if mode == "fused" and image is not None else None
    pinned = store.pinned().load()
    clock.lap("load")
    face = None if photo is None else finder.cut(photo, choice)
    clock.lap("detect")
    features = None if face is None else model.face_encoder.encode(np.stack([face.pixels]))
    made, weights = make_probe(model, features, witnesses)
    (result,) = answers(pinned, model, made, [face], [lines], [lines], asked, clock)
    return weighed(result, made, witnesses, weights), lines, len(pinned)


def weighed(result: QueryResult, made: Probes, witnesses: Sequence[Witness], weights: Sequence[float]) -> QueryResult:
    """An answer that says what each witness's words weigh, and whose do not fit the face.

    Args:
        result: The answer.
        made: The probe that it answers, of all witnesses together.
        witnesses: They.
        weights: Of their words.
    """
    told_of = [
        {"lines": list(own.lines), "reliability": own.reliability, "weight": round(weight, 4)}
        for own, weight in zip(witnesses, weights, strict=True)
    ]
    notes = list(result.notes)
    for number, (own, weight) in enumerate(zip(witnesses, weights, strict=True), start=1):
        if weight < own.reliability / 2:
            told = {"number": number, "weight": f"{weight:.2f}", "reliability": f"{own.reliability:g}"}
            notes.append(note("witness_unfit", **told))
    description = {**(result.description or {}), "witnesses": told_of}
    return replace(result, weights=weights_of(made, weights), description=description, notes=tuple(notes))


def need_words(mode: str) -> None:
    """Refuse witnesses where nobody hears them.

    Raises:
        InputError: The search is by image alone.
    """
    if mode == "image":
        raise InputError("mode", found="image, and witnesses", expected="auto, fused or caption")
