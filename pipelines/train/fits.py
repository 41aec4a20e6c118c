"""What is fitted on train after the training steps: the centres of the blocks, and the quality of a face."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.train.steps import TrainSet, epoch_rng
from tgfr_search.data.regimes import CONSTANT
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.blocks import BLOCKS
from tgfr_search.model.tgfr import TGFR

CENTRE_FACES = 4096
QUALITY_STEPS, QUALITY_BATCH = 1200, 256


def fit_centres(model: TGFR, train: TrainSet, seed: int, constant: bool) -> None:
    """Mean unit vector of each trained block over train faces as they are, written into the model.

    Not those of `description` and `looks`, whose means are part of their own step.
    """
    rng = epoch_rng(seed, "centres", 0)
    rows = rng.choice(len(train.subjects), size=min(CENTRE_FACES, len(train.subjects)), replace=False)
    sums: dict[str, Tensor] = {}
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), 256):
            part = rows[start : start + 256]
            faces = train.features.batch(part, 0)
            faces = FaceFeatures(*(x.to(model.device) for x in faces))
            lines = [(CONSTANT,) if constant else train.captions[i] for i in part]
            one = [(own[int(rng.integers(len(own)))],) for own in lines]
            blocks, _, _ = model.raw_blocks(faces, one)
            for name, block in blocks.items():
                sums[name] = sums.get(name, torch.zeros_like(block[0])) + F.normalize(block, dim=1).sum(dim=0)
    for name, total in sums.items():
        if BLOCKS[name].step == 3:
            continue
        # A control's captions are all one sentence: its caption block is constant and its centred norm would be noise.
        getattr(model, f"centre_{name}").copy_(total / len(rows))


def fit_quality(model: TGFR, train: TrainSet, seed: int) -> float:
    """Trains the quality head on cos(degraded, original) of the frozen vectors of train faces, both less the mean face.

    The encoder's vectors share a large common part: uncentred, even a ruined face has a cosine above 0.9.

    Returns:
        Mean absolute error of the last steps.
    """
    rng = epoch_rng(seed, "quality", 0)
    views = len(train.features.views)
    optimiser = torch.optim.AdamW(model.quality.parameters(), 1e-3, weight_decay=1e-2)
    model.quality.train()
    errors = []
    some = rng.choice(len(train.subjects), size=min(CENTRE_FACES, len(train.subjects)), replace=False)
    frozen = model.parts[0][1]
    mean = torch.from_numpy(train.features.vectors[some, 0, :, :frozen].mean(axis=(0, 1))).to(model.device)
    for step in range(QUALITY_STEPS):
        rows = rng.integers(len(train.subjects), size=QUALITY_BATCH)
        view = rng.integers(views, size=QUALITY_BATCH)
        faces = FaceFeatures(*(x.to(model.device) for x in train.features.batch(rows, view)))
        original = torch.from_numpy(train.features.vectors[rows, 0, :, :frozen].mean(axis=1)).to(model.device)
        target = F.cosine_similarity(faces.global_[:, :frozen] - mean, original - mean, dim=1).clamp(0, 1)
        predicted = model.quality(model.read(faces))
        loss = F.smooth_l1_loss(predicted, target, beta=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - step / QUALITY_STEPS)
        optimiser.step()
        errors.append(float((predicted.detach() - target).abs().mean()))
    model.quality.eval()
    return float(np.mean(errors[-100:]))
