"""One update of the weights: several batches' gradients, scaled where the arithmetic is float16, averaged, clipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.train.team import Team
from tgfr_search.data.datasets import TrainBatch
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.info_nce import info_nce
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.tgfr import TGFR

FUSE_TAU = 0.1
"""Temperature of step 2's contrastive loss."""

LineEncoder = Callable[[TGFR, list[str]], tuple[Tensor, Tensor, Tensor]]


class AlignLoss(nn.Module):
    """Step 1 from a batch to its losses, one module so that DistributedDataParallel sees every weight.

    Args:
        model: Trained.
        loss: Has weights of its own: the classifiers and temperatures.
        encode: How caption lines become c, W and mask.
    """

    def __init__(self, model: TGFR, loss: FCAMLoss, encode: LineEncoder) -> None:
        super().__init__()
        self.model, self.loss, self.encode = model, loss, encode

    def forward(self, faces: FaceFeatures, lines: list[str], subjects: Tensor) -> dict[str, Tensor]:
        """Args: 2B faces and their lines, subjects int64 [2B]. Returns: as `FCAMLoss`."""
        face, regions = self.model.fcam.face(self.model.read(faces))
        caption, words, mask = self.encode(self.model, lines)
        parts: dict[str, Tensor] = self.loss(SharedFeatures(face, caption, regions, words, mask), subjects)
        return parts


class FuseLoss(nn.Module):
    """Step 2 from shared features to its losses; arguments as `AlignLoss`.

    Args:
        fusion: Trained.
        classifier: Of the fused block.
        contrastive: Weight of an InfoNCE between two views of a subject.
    """

    def __init__(self, fusion: nn.Module, classifier: ArcFace, contrastive: float) -> None:
        super().__init__()
        self.fusion, self.classifier, self.contrastive = fusion, classifier, contrastive

    def forward(self, shared: SharedFeatures, subjects: Tensor) -> dict[str, Tensor]:
        """Args: 2B pairs, subjects int64 [2B]. Returns: `total` and each part, unweighted."""
        fused = self.fusion(shared)
        parts = {"identity": self.classifier(fused, subjects)}
        total = parts["identity"]
        if self.contrastive:
            half = len(subjects) // 2
            parts["contrastive"] = info_nce(fused[:half], fused[half:], subjects[:half], FUSE_TAU)
            total = total + self.contrastive * parts["contrastive"]
        return {"total": total, **parts}


class Updater:
    """Steps of an optimiser.

    Losses over pairs of a batch (CICL, WRCL, IMCL) see the negatives of their own batch only: accumulation and more
    processes average gradients, they do not make those batches larger.

    Args:
        module: A loss module.
        optimiser: Of its weights.
        team: The processes.
        accumulate: Batches a step, in each process.
        clip: Gradient norm limit.
        dtype: Of the reduced arithmetic; float16 needs its gradients scaled, or the small ones would vanish.
    """

    def __init__(
        self,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        team: Team,
        accumulate: int,
        clip: float,
        dtype: torch.dtype,
    ) -> None:
        self.optimiser, self.team, self.accumulate, self.clip = optimiser, team, accumulate, clip
        self.parameters: list[nn.Parameter] = [p for group in optimiser.param_groups for p in group["params"]]
        self.module = team.wrap(module)
        self.scaler = torch.amp.GradScaler(team.device.type, enabled=dtype == torch.float16)

    def groups(self, batches: Iterable[TrainBatch]) -> Iterator[list[TrainBatch]]:
        """The batches of each step, from a whole number of steps' batches."""
        stream = iter(batches)
        while group := list(islice(stream, self.accumulate)):
            yield group

    def __call__(self, inputs: Iterable[tuple[Any, ...]]) -> dict[str, Tensor]:
        """One step; gives the losses of the last of its batches.

        Args:
            inputs: Arguments of the module, one tuple a batch; as many as `accumulate`, made when they are asked for.
        """
        self.optimiser.zero_grad(set_to_none=True)
        parts: dict[str, Tensor] = {}
        for at, arguments in enumerate(inputs, 1):
            with nullcontext() if at == self.accumulate else self.team.apart(self.module):
                parts = self.module(*arguments)
                self.scaler.scale(parts["total"] / self.accumulate).backward()
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return parts
