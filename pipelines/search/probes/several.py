"""Several pictures of one unknown: their templates pooled by quality, and what each picture finds alone.

Every picture is encoded with the description; a block of the pooled probe is the mean of the pictures' blocks, weighed
by their predicted quality and made a unit vector again. Its quality is that of the best picture. Pictures without a
usable face are told and left out. Of several witnesses each one's words are pooled with the pictures by themselves, and
weighed by what the pooled face shows (`tgfr_search.model.witnesses`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.search.answers.answer import Asked, Clock, answers
from pipelines.search.answers.typical import Typical
from pipelines.search.probes.probe import Image, load_probe, mode_of_pictures
from pipelines.search.probes.witnessed import need_words, weighed
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import FaceError, InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes, heard_lines, weigh_faces
from tgfr_search.model.witnesses import Witness, joined
from tgfr_search.pages.catalogue import Words
from tgfr_search.pages.sentences import note
from tgfr_search.types import AlignedFace, FloatArray, Note, QueryResult, Templates

LEAST_WEIGHT = 0.05
"""Of a picture, so that pictures of no quality at all still count alike."""
STRANGERS, SHARE = 300, 0.95
"""Rows of the gallery among which strangers are compared, and the share of them that two pictures must exceed."""
LEAST_PAIRS = 100
"""Pairs of strangers from which on a share of them is told."""


def pooled(templates: Templates, quality: FloatArray) -> Templates:
    """One template of several: unit vectors of the weighed means; an absent block stays absent.

    Args:
        templates: N pictures.
        quality: [N], predicted.
    """
    weights = np.maximum(quality, LEAST_WEIGHT).astype(np.float64)
    blocks = {}
    for name, block in templates.blocks.items():
        mean = weights @ block.astype(np.float64)
        length = float(np.linalg.norm(mean))
        blocks[name] = (mean / length if length > 1e-12 else np.zeros_like(mean)).astype(np.float32)[None]
    return Templates(blocks)


def search_several(
    store: Store | MilvusStore,
    model: FaceTextModel,
    finder: FaceFinder,
    images: Sequence[Image],
    lines: tuple[str, ...],
    given: tuple[str, ...],
    asked: Asked,
    typical: Typical | None = None,
    choices: Sequence[FaceChoice | None] | None = None,
    witnesses: Sequence[Witness] = (),
) -> tuple[QueryResult, int]:
    """The answer to several pictures, and the rows of the index.

    Args:
        store: The index.
        model: What made it.
        finder: How photos become faces.
        images: Two or more.
        lines: What is said of the person.
        given: The same as it was given.
        asked: How is searched.
        typical: Scores the head of the lists again.
        choices: Which face of each is meant; None is the largest of each.
        witnesses: Who said the lines, each believed as far as is said; none: the lines are one description.

    Raises:
        FaceError: No picture gives a face.
        InputError: Fewer than two pictures, a search by description alone, or witnesses whom nobody hears.
    """
    if isinstance(images, str | bytes | os.PathLike) or len(images) < 2:
        raise InputError("images", found="fewer than two pictures", expected="two or more of one person")
    mode = mode_of_pictures(asked.mode, images[0], lines, "pictures")
    if witnesses:
        need_words(mode)
    clock = Clock()
    found = _found(finder, images, choices)
    faces = [each for each in found if isinstance(each, AlignedFace)]
    pinned = store.pinned().load()
    clock.lap("detect")
    features = model.face_encoder.encode(np.stack([face.pixels for face in faces]))
    made, face_block, weights = _probes(model, features, lines, mode, witnesses)
    best, count = int(np.argmax(made.quality[1:])), len(made)
    shown = [faces[best], *faces]
    result, *alone = answers(pinned, model, made, shown, [lines] * count, [given] * count, asked, clock, typical)
    if witnesses:
        result = weighed(result, made.take(np.array([0])), witnesses, weights)
    alike = face_block @ face_block.T
    probe = {
        **{name: result.probe[name] for name in ("quality", "attributes", "captions_truncated")},
        "sha256": hashlib.sha256("".join(face.source_sha256 for face in faces).encode()).hexdigest(),
        "faces": [],
        "box": None,
        "pictures": _pictures(images, found, alone),
        "alike": np.round(alike, 4).tolist(),
    }
    own = [each for each in result.notes if each not in alone[best].notes] if witnesses else []
    block = model.tgfr.layout[0][0]
    notes = [*alone[best].notes, *own, *_left_out(images, found), *_strangers(pinned, block, alike)]
    return replace(result, probe=probe, notes=tuple(notes)), len(pinned)


def _probes(
    model: FaceTextModel, features: FaceFeatures, lines: tuple[str, ...], mode: str, witnesses: Sequence[Witness]
) -> tuple[Probes, npt.NDArray[np.float64], tuple[float, ...]]:
    """The pooled probe and that of each of N pictures; their faces' block [N, dim]; the weight of each witness."""
    if not witnesses:
        made, block = _pooled_with(model, features, lines, mode)
        return made, block, ()
    image, block = _pooled_with(model, features, (), "image")
    each = [_pooled_with(model, features, own.lines, mode)[0] for own in witnesses]
    mixed = [
        joined(model, Probes.concat([own.take(at) for own in each]), image.take(at), witnesses)
        for at in (np.array([number]) for number in range(len(image)))
    ]
    return Probes.concat([probe for probe, _ in mixed]), block, mixed[0][1]


def _pooled_with(
    model: FaceTextModel, features: FaceFeatures, lines: tuple[str, ...], mode: str
) -> tuple[Probes, npt.NDArray[np.float64]]:
    """The pooled probe and that of each of N pictures, with the same words; their faces' block [N, dim]."""
    count = len(features[0])
    own = model.tgfr.embed(features, heard_lines(model, [lines if mode == "fused" else ()], [mode]) * count)
    best = own.quality[(at := int(np.argmax(own.quality))) : at + 1]
    whole = weigh_faces(model, pooled(own.templates, own.quality), best, lines, [mode])
    made = Probes.concat([whole, weigh_faces(model, own.templates, own.quality, lines, [mode] * count)])
    return made, own.templates.blocks[model.tgfr.layout[0][0]].astype(np.float64)


def _found(
    finder: FaceFinder, images: Sequence[Image], choices: Sequence[FaceChoice | None] | None
) -> list[AlignedFace | FaceError]:
    """The face of each picture, or why it gives none; at least one does.

    Raises:
        FaceError: No picture gives a face.
        InputError: There are not as many choices as pictures.
    """
    meant = [None] * len(images) if choices is None else choices
    if len(meant) != len(images):
        raise InputError("choices", found=f"{len(meant)} for {len(images)} pictures", expected="one for each")
    found = [_face(finder, image, choice) for image, choice in zip(images, meant, strict=True)]
    errors = [each for each in found if isinstance(each, FaceError)]
    if len(errors) == len(found):
        detail = f"none of {len(images)} pictures gives a face; the first: {errors[0].detail}"
        raise FaceError(errors[0].reason, detail, do=errors[0].do)
    return found


def _face(finder: FaceFinder, image: Image, choice: FaceChoice | None) -> AlignedFace | FaceError:
    try:
        return finder.cut(load_probe(finder, image), choice)
    except FaceError as error:
        return error


def _name(image: Image, number: int) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else Words("en")("picture.number", number=number)


def _pictures(
    images: Sequence[Image], found: Sequence[AlignedFace | FaceError], alone: Sequence[QueryResult]
) -> list[dict[str, Any]]:
    """What each picture is, and what it finds alone."""
    results = iter(alone)
    out = list[dict[str, Any]]()
    for number, (image, face) in enumerate(zip(images, found, strict=True), start=1):
        told: dict[str, Any] = {"number": number, "picture": _name(image, number), "error": None, "candidates": []}
        if isinstance(face, FaceError):
            out.append({**told, "error": {"reason": face.reason.value, "detail": face.detail}})
            continue
        result = next(results)
        hits = [{"rank": h.rank, "subject_id": h.subject_id, "row_id": h.row_id, "score": h.score} for h in result]
        out.append({**told, **result.probe, "candidates": hits})
    return out


def _left_out(images: Sequence[Image], found: Sequence[AlignedFace | FaceError]) -> list[Note]:
    return [
        note("left_out", picture=_name(image, number), reason=face.reason.value.replace("_", " "), detail=face.detail)
        for number, (image, face) in enumerate(zip(images, found, strict=True), start=1)
        if isinstance(face, FaceError)
    ]


def strangers(store: Store | MilvusStore, block: str) -> npt.NDArray[np.float64] | None:
    """Cosines of pairs of strangers of a gallery, of a few hundred rows; None of a gallery with fewer than 100 pairs.

    Args:
        store: The index, pinned.
        block: Of the rows that is compared.
    """
    if not isinstance(store, Store):
        return None
    rows = store.photos_by_image()
    ids = [row for row, _ in store.rows_by_image().values()]
    step = max(1, len(ids) // STRANGERS)
    chosen = list(range(0, len(ids), step))[:STRANGERS]
    subjects = np.array([list(rows.values())[at][1] for at in chosen])
    vectors = store.split(store.vectors([ids[at] for at in chosen]))[block].astype(np.float64)
    apart = (vectors @ vectors.T)[subjects[:, None] != subjects[None, :]]
    return apart if len(apart) >= LEAST_PAIRS else None


def _strangers(store: Store | MilvusStore, block: str, alike: Any) -> list[Note]:
    """A warning where two pictures are no more alike than strangers of the gallery often are."""
    if len(alike) < 2 or (apart := strangers(store, block)) is None:
        return []
    limit = float(np.quantile(apart, SHARE))
    least = float(alike[np.triu_indices(len(alike), 1)].min())
    if least > limit:
        return []
    return [note("unlike", least=f"{least:.2f}", limit=f"{limit:.2f}")]
