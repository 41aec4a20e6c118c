"""Galleries for `search_speed`: real templates, distractors sampled around them, and probes of every mode."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from indexer.contract import Contract
from pipelines.enrol.index import contract_of
from tgfr_search.data.degrade import degrade
from tgfr_search.errors import FaceError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import rows_of, weigh
from tgfr_search.types import ByteArray, FloatArray, Templates

MODES = ("image", "caption", "fused")
VIEWS = {"easy": "", "hard": "very_bad"}
_BATCH = 64
_SUBJECTS_AT_ONCE = 20_000
_OTHER, _WITHIN, _EACH = 0.6, 0.35, 3


@dataclass(frozen=True)
class Faces:
    """Templates of one data set, its photos shared out between gallery and probes.

    Attributes:
        contract: Of the vectors.
        gallery: float32 [G, D].
        owners: int64 [G], whose.
        probes: (`easy` or `hard`, mode) → queries float32 [P, D] and their subjects int64 [P], mated all.
    """

    contract: Contract
    gallery: FloatArray
    owners: npt.NDArray[np.int64]
    probes: dict[tuple[str, str], tuple[FloatArray, npt.NDArray[np.int64]]]


def encode(path: Path, model: FaceTextModel, cache: Path, probes: int, seed: int = 0) -> Faces:
    """Encode the test split of MM-CelebA-HQ: half of each subject's photos are enrolled, others searched with.

    Args:
        path: The Parquet file.
        model: What encodes.
        cache: Folder for the encoded arrays, made when missing; they are of real people and never leave it.
        probes: How many probe photos at most.
        seed: Of who is a probe and which caption lines a witness says.
    """
    arrays = _encoded(path, model, cache)
    layout = tuple(model.tgfr.layout)
    owners = arrays["owners"].astype(np.int64)
    rng = np.random.default_rng(seed)
    searched = np.zeros(len(owners), bool)
    for subject in np.unique(owners):
        photos = rng.permutation(np.flatnonzero(owners == subject))
        searched[photos[: len(photos) // 2]] = True
    chosen = np.sort(rng.permutation(np.flatnonzero(searched))[:probes])
    contract = contract_of(model)
    queries = {}
    for view in VIEWS:
        templates = Templates(contract.split(arrays[view][chosen]))
        has_caption = templates.blocks["caption"].any(axis=1)
        for mode in MODES:
            quality = arrays[f"{view}_quality"][chosen]
            built = weigh(templates, quality, [mode] * len(chosen), model.scoring, layout).queries
            kept = np.ones(len(chosen), bool) if mode == "image" else has_caption
            queries[view, mode] = (built[kept], owners[chosen][kept])
    return Faces(contract, arrays["gallery"][~searched], owners[~searched], queries)


def distractors(faces: Faces, count: int, seed: int) -> FloatArray:
    """Rows of people who are not there: subjects around real templates, three rows each.

    A subject is a real template moved by noise of the covariance of its block; its rows are that, moved again.

    Args:
        faces: Real templates.
        count: How many rows.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    full = faces.gallery[faces.gallery[:, faces.contract.slices["caption"]].any(axis=1)]
    out = np.empty((count, faces.contract.dim), np.float32)
    base = rng.integers(0, len(full), -(-count // _EACH))
    for where in faces.contract.slices.values():
        block = full[:, where].astype(np.float64)
        mean = block.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(block.T))
        spread = (axes * np.sqrt(np.maximum(variances, 0.0))).T.astype(np.float32)
        for start in range(0, len(base), _SUBJECTS_AT_ONCE):
            own = full[base[start : start + _SUBJECTS_AT_ONCE], where] - mean.astype(np.float32)
            shape = (len(own), len(spread))
            subjects = np.sqrt(1 - _OTHER**2) * own + _OTHER * rng.standard_normal(shape, np.float32) @ spread
            for number in range(_EACH):
                rows = np.sqrt(1 - _WITHIN**2) * subjects + _WITHIN * rng.standard_normal(shape, np.float32) @ spread
                rows += mean
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                at = np.arange(start, start + len(own)) * _EACH + number
                out[at[at < count], where] = rows[at < count]
    return out


def _encoded(path: Path, model: FaceTextModel, cache: Path) -> dict[str, npt.NDArray[np.float32]]:
    folder = cache / f"search-{model.model_id}"
    if not (folder / "owners.npy").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in _encode(path, model).items():
            np.save(folder / f"{name}.npy", array)
    names = ["gallery", *VIEWS, *(f"{view}_quality" for view in VIEWS), "owners"]
    return {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names}


def _encode(path: Path, model: FaceTextModel) -> dict[str, npt.NDArray[np.float32]]:
    finder = model.find_with()
    rng = random.Random(0)
    chips: list[ByteArray] = []
    lines: list[tuple[str, ...]] = []
    keys, owners = [], []
    columns = ["identity", "image", "captions"]
    for row in pq.read_table(path, columns=columns, filters=[("split", "=", "test")]).to_pylist():
        try:
            face = finder.cut(finder.load(row["image"]))
        except FaceError:
            continue
        chips.append(face.pixels)
        keys.append(face.source_sha256)
        lines.append(tuple(row["captions"] or ()))
        owners.append(row["identity"])
    out: dict[str, npt.NDArray[np.float32]] = {}
    out["gallery"], _ = _embed(model, chips, lines)
    for view, level in VIEWS.items():
        seen = [degrade(chip, level, key=key, seed=0) if level else chip for chip, key in zip(chips, keys, strict=True)]
        # The first line may contradict the photo: no witness says it.
        said: list[tuple[str, ...]] = [(rng.sample(own[1:], 1)[0],) if len(own) > 1 else () for own in lines]
        out[view], out[f"{view}_quality"] = _embed(model, seen, said)
    return {**out, "owners": np.array(owners, np.float32)}


def _embed(model: FaceTextModel, chips: list[ByteArray], lines: list[tuple[str, ...]]) -> tuple[FloatArray, FloatArray]:
    vectors, quality = [], []
    for start in range(0, len(chips), _BATCH):
        out = model.embed(np.stack(chips[start : start + _BATCH]), lines[start : start + _BATCH])
        vectors.append(rows_of(out.templates, model.tgfr.layout))
        quality.append(out.quality)
    return np.vstack(vectors).astype(np.float32), np.concatenate(quality)
