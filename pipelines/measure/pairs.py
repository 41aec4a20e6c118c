"""Verification of the pairs that a data set lists: LFW's ten folds, IJB's templates. Faces alone, no captions.

It measures a face encoder as its publishers do, so that weights added from an official file can be checked against
their published numbers. A photo in which no face is found cannot be accepted: its pairs score −1 and are counted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.faces.aligned import Progress, silent
from pipelines.faces.find import find_faces
from tgfr_search.data.layouts.ijb import read_template_pairs
from tgfr_search.data.layouts.lfw import read_pairs
from tgfr_search.data.layouts.registry import find_layout
from tgfr_search.data.records import read_records
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.errors import InputError, NothingUsableError
from tgfr_search.evaluation.folds import fold_accuracy, fold_tar
from tgfr_search.evaluation.verification import eer, tar_at_far
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.types import LEAD_NOTICE, AlignedFace, FloatArray, Record

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
BATCH = 32
BLOCK = 100_000
"""Pairs scored at a time."""
REJECTED = -1.0
"""Score of a pair that cannot be compared: no cosine is lower."""
RESULT = "pairs.json"


def benchmark_pairs(
    folder: Path,
    encoder: FaceEncoder,
    out: Path,
    pairs: Path | None = None,
    *,
    finder: FaceFinder | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measures a face encoder on listed pairs and writes `pairs.json`.

    Args:
        folder: LFW, a folder of the same form, or IJB-B/C.
        encoder: Cosine of its global vectors is the score.
        out: Folder to write.
        pairs: The list; None is the data set's own.
        finder: How photos become faces.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Raises:
        InputError: The list is not there or damaged, or names images that the folder lacks.
        NothingUsableError: No pair can be compared.
    """
    if not folder.is_dir():
        raise InputError(str(folder), found="no such folder", expected="LFW or IJB-B/C as published")
    finder = (finder or FaceFinder()).for_alignment(encoder.spec.alignment)
    layout = find_layout(folder)
    work = _templates if layout is not None and layout.name == "ijb" else _folds
    tree = work(folder, pairs, encoder, finder, workers, progress)
    tree = {"encoder": asdict(encoder.spec), "source": str(folder), **tree, "notice": LEAD_NOTICE}
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / RESULT, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")
    return tree


def vectors_of(
    records: Iterable[Record], encoder: FaceEncoder, finder: FaceFinder, workers: int | None, progress: Progress
) -> dict[str, FloatArray]:
    """Row name → unit vector, for the photos in which a face is found."""
    out: dict[str, FloatArray] = {}
    names: list[str] = []
    chips: list[Any] = []

    def encode() -> None:
        if names:
            vectors = encoder.encode(np.stack(chips)).global_.float().cpu().numpy()
            out.update(zip(names, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True))
        names.clear()
        chips.clear()

    for at, (record, face) in enumerate(find_faces(records, finder, workers), 1):
        if isinstance(face, AlignedFace):
            names.append(record.name)
            chips.append(face.pixels)
        if len(names) == BATCH:
            encode()
        progress("faces", at, 0)
    encode()
    return out


def template_vectors(vectors: dict[str, FloatArray], members: dict[int, list[str]]) -> dict[int, FloatArray]:
    """Template → the unit mean of its images' unit vectors; a template without a face has none.

    Args:
        vectors: Row name → unit vector.
        members: Template → its images.
    """
    out = {}
    for template, names in members.items():
        own = [vectors[name] for name in names if name in vectors]
        if own:
            mean = np.mean(own, axis=0)
            out[template] = (mean / np.linalg.norm(mean)).astype(np.float32)
    return out


def score_listed(
    vectors: dict[Any, FloatArray], firsts: list[Any], seconds: list[Any]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Cosines of pairs, and which of them could be compared; the others score −1."""
    rows = {name: at for at, name in enumerate(vectors)}
    matrix = np.stack(list(vectors.values()))
    scores = np.full(len(firsts), REJECTED, np.float32)
    one = np.array([rows.get(name, -1) for name in firsts])
    other = np.array([rows.get(name, -1) for name in seconds])
    there = (one >= 0) & (other >= 0)
    at = np.flatnonzero(there)
    for start in range(0, len(at), BLOCK):
        part = at[start : start + BLOCK]
        scores[part] = np.einsum("nd,nd->n", matrix[one[part]], matrix[other[part]])
    return scores, there


def _folds(
    folder: Path, path: Path | None, encoder: FaceEncoder, finder: FaceFinder, workers: int | None, progress: Progress
) -> dict[str, Any]:
    folds = read_pairs(folder, path)
    pairs = [pair for fold in folds for pair in fold]
    wanted = {name for pair in pairs for name in (pair.first, pair.second)}
    records = read_records(folder, on_problem=lambda problem: None)
    there = [record for record in records if record.name in wanted]
    missing = sorted(wanted - {record.name for record in there})
    if missing:
        found = f"{len(missing)} images of the list are not there: {', '.join(missing[:3])}"
        raise InputError(str(folder), found=found, expected="every image that the list of pairs names")
    vectors = vectors_of(there, encoder, finder, workers, progress)
    if not vectors:
        raise NothingUsableError(str(folder), found=f"no face in {len(there)} photos")
    scores, compared = score_listed(vectors, [p.first for p in pairs], [p.second for p in pairs])
    genuine = np.array([pair.genuine for pair in pairs])
    ends = np.cumsum([len(fold) for fold in folds])[:-1]
    parts = list(zip(np.split(scores, ends), np.split(genuine, ends), strict=True))
    return {
        "protocol": f"{len(folds)} folds, each judged at a threshold chosen on the others",
        "accuracy": asdict(fold_accuracy(parts)),
        "tar_at_far": {f"{far:g}": asdict(fold_tar(parts, far)) for far in FARS},
        **_pooled(scores, genuine, compared, ()),
        "images": len(there),
        "images_without_a_face": len(there) - len(vectors),
    }


def _templates(
    folder: Path, path: Path | None, encoder: FaceEncoder, finder: FaceFinder, workers: int | None, progress: Progress
) -> dict[str, Any]:
    pairs = read_template_pairs(folder, path)
    wanted = {number for pair in pairs for number in (pair.first, pair.second)}
    members: dict[int, list[str]] = defaultdict(list)
    records = []
    for record in read_records(folder, need_subject=False, on_problem=lambda problem: None):
        own = wanted.intersection(record.metadata["template_ids"])
        records += [record] if own else []
        for template in own:
            members[template].append(record.name)
    vectors = vectors_of(records, encoder, finder, workers, progress)
    templates = template_vectors(vectors, members)
    if not templates:
        raise NothingUsableError(str(folder), found=f"no face in {len(records)} photos")
    scores, compared = score_listed(templates, [p.first for p in pairs], [p.second for p in pairs])
    genuine = np.array([pair.genuine for pair in pairs])
    return {
        "protocol": "1:1 of templates, each the unit mean of its images' unit vectors",
        **_pooled(scores, genuine, compared, FARS),
        "templates": len(wanted),
        "templates_without_a_face": len(wanted) - len(templates),
        "images": len(records),
        "images_without_a_face": len(records) - len(vectors),
    }


def _pooled(
    scores: FloatArray, genuine: npt.NDArray[np.bool_], compared: npt.NDArray[np.bool_], fars: tuple[float, ...]
) -> dict[str, Any]:
    """Figures over all pairs together."""
    own, other = scores[genuine], scores[~genuine]
    tars = {f"{far:g}": asdict(tar_at_far(own, other, far)) for far in fars}
    return {
        **({"tar_at_far": tars} if tars else {}),
        "eer": asdict(eer(own, other)),
        "genuine_pairs": int(genuine.sum()),
        "impostor_pairs": int((~genuine).sum()),
        "pairs_not_compared": int((~compared).sum()),
    }
