"""Trains the attribute head: features from the cache, training on train, calibration and thresholds on valid."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

import tgfr_search
from pipelines.faces.aligned import Chips, Progress, load_chips, silent
from pipelines.faces.features import load_features
from pipelines.train.attributes.options import AttributeOptions
from pipelines.train.sets import LEVELS
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.datasets import ORIGINAL_SHARE, FeatureSet
from tgfr_search.encoders.base import FaceFeatures, pick_device
from tgfr_search.encoders.registry import fast_dtype, make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.evaluation.attributes import attribute_figures, smallest_threshold
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.attribute_card import attribute_card
from tgfr_search.model.attribute_head import AttributeHead
from tgfr_search.model.attributes import SAID_WHERE_FALSE, calibrated, encoder_fields, save_attributes
from tgfr_search.model.checkpoint import machine
from tgfr_search.options import DataOptions
from tgfr_search.strict import to_dict
from tgfr_search.types import FloatArray


def labels_of(chips: Chips) -> FloatArray:
    """float32 [N, 40]: 1 where an attribute holds, 0 where it does not, NaN where the data do not say.

    Raises:
        InputError: The data have none of the attributes.
    """
    table = np.array(
        [[np.nan if (v := row.get(name)) is None else float(bool(v)) for name in ATTRIBUTES] for row in chips.metadata],
        np.float32,
    )
    if np.isnan(table).all():
        raise InputError("training data", found="no attribute column", expected=f"columns like {ATTRIBUTES[0]}")
    return table


def train_attributes(
    options: AttributeOptions, folder: Path, *, workers: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Trains, calibrates, and writes the attribute model with its card.

    Args:
        options: The configuration.
        folder: Of the finished model.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Returns:
        What the provenance says, with `model_id` and `folder`.
    """
    started = time.time()
    device, data, cache = pick_device(options.device), options.data, Path(options.data.cache)
    precision = fast_dtype(device)
    encoder = make_face_encoder(options.face_encoder, device, precision, flip=False, regions=options.regions)
    finder = FaceFinder().for_alignment(encoder.spec.alignment)
    train, valid = _disjoint(data, finder, workers, progress)
    features = load_features(train, data.views, encoder, cache, options.seed, progress, precision=precision)
    valid_features = load_features(valid, LEVELS, encoder, cache, options.seed, progress, precision=precision)
    torch.manual_seed(options.seed)
    architecture = {"channels": options.channels, "hidden": options.hidden, "dropout": options.dropout}
    head = AttributeHead(encoder.spec.dim, encoder.spec.regions, **architecture).to(device)  # type: ignore[arg-type]
    labels = labels_of(train)
    _fit(head, features, labels, options, progress)
    truth = labels_of(valid)
    calibration, probabilities = _calibrate(head, valid_features, truth)
    thresholds = {
        name: thresholds_of(name, probabilities[0][:, at], truth[:, at], options) for at, name in enumerate(ATTRIBUTES)
    }
    base_rates = _base_rates(labels)
    provenance = {
        "options": to_dict(options),
        "data_sha256": train.data_sha256,
        "train_images": len(train),
        "valid_images": len(valid),
        "package": tgfr_search.__version__,
        "machine": machine(),
        "seconds": round(time.time() - started),
        "licence": data.licence,
        "valid": {
            level: attribute_figures(p, truth, thresholds, base_rates)
            for level, p in zip(LEVELS, probabilities, strict=True)
        },
    }
    config = {
        "name": options.name,
        "attributes": list(ATTRIBUTES),
        "architecture": architecture,
        "encoder": encoder_fields(encoder.spec),
        "calibration": calibration,
        "thresholds": thresholds,
        "base_rates": base_rates,
        "provenance": provenance,
    }
    model_id = save_attributes(folder, head, config)
    (folder / "CARD.md").write_text(attribute_card({"model_id": model_id, **config}), encoding="utf-8")
    return {"model_id": model_id, "folder": str(folder), **provenance}


def _disjoint(data: DataOptions, finder: FaceFinder, workers: int | None, progress: Progress) -> tuple[Chips, Chips]:
    """Faces of train and of valid.

    Raises:
        InputError: Somebody is in both.
    """
    train, valid = (
        load_chips(Path(data.path), split, Path(data.cache), finder, workers=workers, progress=progress)
        for split in (data.train, data.valid)
    )
    if shared := set(train.subjects) & set(valid.subjects):
        raise InputError(data.path, found=f"{len(shared)} subjects in train and valid", expected="disjoint subjects")
    return train, valid


def _base_rates(labels: FloatArray) -> dict[str, float]:
    """Attribute → how often it holds where it is known; one half where it never is."""
    known = {name: labels[~np.isnan(labels[:, at]), at] for at, name in enumerate(ATTRIBUTES)}
    return {name: float(own.mean()) if len(own) else 0.5 for name, own in known.items()}


def _fit(
    head: AttributeHead, features: FeatureSet, labels: FloatArray, options: AttributeOptions, progress: Progress
) -> None:
    device = next(head.parameters()).device
    rng = np.random.default_rng([options.seed, 11])
    views = len(features.views)
    shares = np.full(views, (1 - ORIGINAL_SHARE) / max(1, views - 1))
    shares[0] = 1 - shares[1:].sum()
    steps = options.epochs * (len(labels) // options.batch)
    if steps < 1:
        raise InputError("training data", found=f"{len(labels)} faces", expected=f"{options.batch}, one batch")
    optimiser = torch.optim.AdamW(head.parameters(), options.lr, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.lr, total_steps=steps, pct_start=0.1)
    head.train()
    order: npt.NDArray[np.int64] = np.empty(0, np.int64)
    total = torch.zeros(())
    for step in range(steps):
        if len(order) < options.batch:
            order = rng.permutation(len(labels))
        # In order of rows: the cache is read from disk.
        rows, order = np.sort(order[: options.batch]), order[options.batch :]
        view = rng.choice(views, size=len(rows), p=shares)
        faces = FaceFeatures(*(x.to(device) for x in features.batch(rows, view, rng.integers(3, size=len(rows)))[:2]))
        wanted = torch.from_numpy(labels[rows]).to(device)
        known = ~wanted.isnan()
        loss = F.binary_cross_entropy_with_logits(head(faces)[known], wanted[known])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.detach().cpu()
        if step % 50 == 49:
            progress(f"attributes, loss {float(total) / 50:.4f}", step + 1, steps)
            total = torch.zeros(())
    head.eval()


@torch.inference_mode()
def _logits(head: AttributeHead, features: FeatureSet, view: int, count: int) -> FloatArray:
    """float32 [N, A], both orientations averaged."""
    device = next(head.parameters()).device
    parts = []
    for start in range(0, count, 256):
        faces = features.batch(np.arange(start, min(start + 256, count)), view)
        parts.append(head(FaceFeatures(faces.global_.to(device), faces.regions.to(device))).float().cpu().numpy())
    return np.concatenate(parts)


def _calibrate(
    head: AttributeHead, valid: FeatureSet, truth: FloatArray
) -> tuple[dict[str, tuple[float, float]], list[FloatArray]]:
    """Attribute → its Platt scaling, fitted on undegraded pictures, and at every level the probabilities [N, A]."""
    by_level = [_logits(head, valid, view, len(truth)) for view in range(len(LEVELS))]
    calibration = {name: platt(by_level[0][:, at], truth[:, at]) for at, name in enumerate(ATTRIBUTES)}
    return calibration, [calibrated(torch.from_numpy(logits), calibration) for logits in by_level]


def platt(logits: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """(a, b) of P(holds) = 1 / (1 + exp(−(a·logit + b))), by Newton steps (Platt 1999, without his priors)."""
    known = ~np.isnan(truth)
    x, y = logits[known].astype(np.float64), truth[known].astype(np.float64)
    design = np.stack([x, np.ones_like(x)], axis=1)
    fit = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ fit))
        # The small ridge towards the raw logit keeps attributes that valid hardly has where training put them.
        gradient = design.T @ (p - y) + 1e-1 * (fit - [1.0, 0.0])
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + 1e-1 * np.eye(2), gradient)
        fit = fit - step
        if np.abs(step).max() < 1e-9:
            break
    return float(fit[0]), float(fit[1])


def thresholds_of(
    name: str, p: FloatArray, truth: FloatArray, options: AttributeOptions
) -> tuple[float | None, float | None]:
    """(stated to hold from, stated not to hold up to); None where it never is."""
    if name in options.unspoken:
        return None, None
    known = ~np.isnan(truth)
    own, holds = p[known].astype(np.float64), truth[known] == 1
    yes = smallest_threshold(own, holds, options.precision)
    no = smallest_threshold(1 - own, ~holds, options.precision) if name in SAID_WHERE_FALSE else None
    yes = None if yes is None else max(yes, 0.5)  # whatever valid says by chance, never what is likelier untrue
    return yes, None if no is None else min(1 - no, float(np.nextafter(0.5, 0)))
