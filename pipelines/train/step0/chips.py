"""Step 0: fine-tunes a copy of the face net on degraded faces, taught by the frozen net on the clean ones; resumable.

The teacher is the frozen encoder on the undegraded picture, centred (its vectors share a large common part); the
student sees the picture as poor as chance makes it. Distillation keeps what the teacher knows of millions of faces, the
identity loss and the contrast between two pictures of a subject say which part of it matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from pipelines.faces.aligned import Chips
from pipelines.faces.drawn import drawn
from pipelines.train.run_state import RunState
from pipelines.train.step0.judge import encode_all, judge, kept, teacher_of
from pipelines.train.step0.pictures import Batches, Pictures, stack
from pipelines.train.steps import Log
from tgfr_search.data.sampling import IntArray, need_batch
from tgfr_search.encoders.adapted import save_adapted
from tgfr_search.encoders.dlib_resnet import DIM, DlibFaceEncoder, DlibResNet, pixels
from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.info_nce import info_nce
from tgfr_search.options import AdaptOptions
from tgfr_search.types import ByteArray


def adapt_step(
    train: Chips, valid: Chips, options: AdaptOptions, seed: int, folder: Path, device: torch.device,
    dtype: torch.dtype, log: Log, workers: int = 1,
) -> Path:  # fmt: skip
    """Trains the adapted half of the face encoder.

    Args:
        train: Training faces.
        valid: What chooses the epoch.
        options: Of this step.
        seed: Of everything drawn.
        folder: For states that a resumed run starts from.
        device: Where it runs.
        dtype: bfloat16 or float32 arithmetic; weights stay in float32.
        log: Called with scalars.
        workers: Processes that degrade pictures; 0 is this one.

    Returns:
        The folder of the adapted half, as `make_face_encoder` takes it.

    Raises:
        InputError: There are fewer subjects than a batch has.
    """
    target = folder / "face"
    subjects = np.unique(train.subjects, return_inverse=True)[1].astype(np.int64)
    need_batch(subjects, options.batch)
    frozen = DlibFaceEncoder(device, dtype, flip=True)
    clean = kept(folder / "teacher.safetensors", lambda: encode_all(frozen.net, train, "original", seed, device, dtype))
    mean = clean.mean(dim=0)
    taught = F.normalize(clean - mean, dim=1).to(device)
    training = _Training.of(frozen, mean, taught, subjects, options)
    average = training.average
    state = RunState(folder, nn.ModuleList([training.net, training.classifier, training.averaged]), training.optimiser)
    done, extra = state.load()
    best = extra.get("best", -math.inf)
    teacher = teacher_of(frozen, valid, mean, seed, folder)
    per_epoch = len(Batches(subjects, train, options.batch, seed, 0))
    for epoch in range(done, options.epochs):
        batches = Batches(subjects, train, options.batch, seed, epoch)
        loader = DataLoader(
            Pictures(train, options.clean, seed), batch_sampler=batches, collate_fn=stack, num_workers=workers
        )
        training.net.train()
        for at, chips in enumerate(drawn(loader)):
            step = epoch * per_epoch + at
            training.set_rates(step, options.epochs * per_epoch)
            own = torch.from_numpy(subjects[batches.rows[at]]).to(device)
            parts = training.update(chips, taught[torch.from_numpy(batches.rows[at])], own, dtype)
            if (step + 1) % 10 == 0:
                log("adapt", step + 1, {name: float(value.detach()) for name, value in parts.items()})
        reached = judge(average, valid, teacher, seed, device, dtype)
        log("adapt valid", epoch + 1, reached)
        value = float(np.mean(list(reached.values())))
        if value > best:
            best = value
            save_adapted(target, average, frozen.spec.sha256, {"epoch": epoch + 1, "valid_rank1": reached})
        state.save(epoch + 1, {"best": best})
    return target


@dataclass(frozen=True)
class _Training:
    """What is trained, and how.

    Attributes:
        net: The student.
        classifier: A class a subject.
        averaged: The running mean of the student's weights.
        optimiser: Of student and classifier.
        options: Of the step.
    """

    net: DlibResNet
    classifier: ArcFace
    averaged: AveragedModel
    optimiser: torch.optim.AdamW
    options: AdaptOptions

    @classmethod
    def of(
        cls, frozen: DlibFaceEncoder, mean: Tensor, taught: Tensor, subjects: IntArray, options: AdaptOptions
    ) -> _Training:
        """Before the first update."""
        net = _student(frozen, mean).to(taught.device)
        classifier = _classifier(taught, subjects, options)
        averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.average))
        groups = [
            {"params": list(net.parameters()), "lr": options.lr},
            {"params": list(classifier.parameters()), "lr": options.class_lr},
        ]
        return cls(net, classifier, averaged, torch.optim.AdamW(groups, weight_decay=0.0), options)

    @property
    def average(self) -> DlibResNet:
        """The net of averaged weights: what is judged and kept."""
        average = self.averaged.module
        assert isinstance(average, DlibResNet)
        return average

    def set_rates(self, step: int, total: int) -> None:
        """Learning rates of a step: up to their peaks, then a cosine down to nothing."""
        options = self.options
        share = min(1.0, (step + 1) / max(1, options.warmup * total)) * 0.5 * (1 + math.cos(math.pi * step / total))
        for group, peak in zip(self.optimiser.param_groups, (options.lr, options.class_lr), strict=True):
            group["lr"] = peak * share

    def update(self, chips: ByteArray, taught: Tensor, own: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """One step by a batch of pictures, the teacher's vectors of them and their subjects; the parts of its loss."""
        with torch.autocast(own.device.type, dtype, enabled=dtype != torch.float32):
            vector, _ = self.net(pixels(chips, own.device, torch.float32))
        loss, parts = _loss(F.normalize(vector.float(), dim=1), taught, own, self.classifier, self.options)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.options.clip)
        self.optimiser.step()
        self.averaged.update_parameters(self.net)
        return parts


def _student(frozen: DlibFaceEncoder, mean: Tensor) -> DlibResNet:
    """The net that is trained: the frozen one, its vectors less the mean face."""
    net = DlibResNet(head_bias=True)
    net.load_state_dict({name: t.float() for name, t in frozen.net.state_dict().items()}, strict=False)
    with torch.no_grad():
        net.head.bias.copy_(-mean)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


def _classifier(taught: Tensor, subjects: IntArray, options: AdaptOptions) -> ArcFace:
    """A class a subject, each beginning where the teacher sees it."""
    classifier = ArcFace(DIM, int(subjects.max()) + 1, options.scale, options.margin).to(taught.device)
    with torch.no_grad():
        sums = torch.zeros_like(classifier.weight).index_add_(0, torch.from_numpy(subjects).to(taught.device), taught)
        classifier.weight.copy_(F.normalize(sums, dim=1))
    return classifier


def _loss(
    student: Tensor, taught: Tensor, own: Tensor, classifier: ArcFace, options: AdaptOptions
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch of 2B pictures, the second half of the same subjects as the first, and its parts."""
    half = len(own) // 2
    parts = {
        "identity": classifier(student, own),
        "distil": (1 - (student * taught).sum(dim=1)).mean(),
        "contrastive": info_nce(student[:half], student[half:], own[:half], options.tau),
    }
    return parts["identity"] + options.distil * parts["distil"] + options.contrastive * parts["contrastive"], parts
