"""The two training steps of the paper (§4.2) over cached face features, each resumable at every epoch.

What is drawn in an epoch depends on (seed, step, epoch) alone, and the state written after an epoch is complete, so a
run that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.train.run_state import RunState
from pipelines.train.team import Team
from pipelines.train.updates import AlignLoss, FuseLoss, Updater
from tgfr_search.data.datasets import FeatureSet, TrainBatch, training_batches
from tgfr_search.data.regimes import CONSTANT
from tgfr_search.data.sampling import IntArray
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.files import replacing
from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import TrainOptions

LENGTH_GROUP = 64
"""Lines that are padded to one length in step 1."""

Log = Callable[[str, int, dict[str, float]], None]
"""(step name, global step, scalars)."""


@dataclass(frozen=True)
class TrainSet:
    """What is trained on: faces with at least one caption.

    Attributes:
        features: Of N faces.
        subjects: int64 [N], numbered 0 … S−1.
        captions: N non-empty tuples of lines.
        subject_ids: S ids, by number; where further descriptions of the same people are read.
    """

    features: FeatureSet
    subjects: IntArray
    captions: list[tuple[str, ...]]
    subject_ids: tuple[str, ...] = ()

    @property
    def subject_count(self) -> int:
        """S."""
        return int(self.subjects.max()) + 1


def trains_text(options: TrainOptions) -> bool:
    """Whether step 1 changes the text encoder; one constant sentence would only make it forget."""
    return options.align.text_lr > 0 and options.align.captions != "constant"


def epoch_rng(seed: int, step: str, epoch: int) -> np.random.Generator:
    """The generator of one epoch; also seeds torch, for dropout."""
    key = [seed, *step.encode(), epoch]
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
    return np.random.default_rng(key)


def _to(batch: TrainBatch, device: torch.device) -> tuple[FaceFeatures, Tensor]:
    return FaceFeatures(*(part.to(device) for part in batch.faces)), batch.subjects.to(device)


def align_step(
    model: TGFR,
    train: TrainSet,
    options: TrainOptions,
    folder: Path,
    validate: Callable[[TGFR], float],
    log: Log,
    team: Team | None = None,
) -> None:
    """Step 1: trains text encoder, projections and IMIM with Eq. 8; leaves `model` at the epoch that valid prefers.

    Args:
        model: Changed in place.
        train: Training faces and captions.
        options: The run's.
        folder: For states that a resumed run starts from.
        validate: Higher is better; called after every epoch.
        log: Called with scalars.
        team: The processes of the run; None is this one alone.
    """
    o, device, team = options.align, model.device, team or Team(model.device)
    loss = FCAMLoss(train.subject_count, options.loss).to(device)
    text = list(model.fcam.text.parameters())
    heads = [p for name, p in model.fcam.named_parameters() if not name.startswith("text.")] + list(loss.parameters())
    groups = [{"params": heads, "lr": o.head_lr, "weight_decay": 0.0}]
    if trains_text(options):
        groups.append({"params": text, "lr": o.text_lr, "weight_decay": o.weight_decay})
    else:
        for parameter in text:
            parameter.requires_grad_(False)
    optimiser = torch.optim.AdamW(groups, fused=True)
    peaks = [group["lr"] for group in optimiser.param_groups]
    state = RunState(folder, nn.ModuleList([model, loss]), optimiser)
    done, extra = state.load()
    best = extra.get("best", -math.inf)
    update = Updater(AlignLoss(model, loss, encode_lines), optimiser, team, o.accumulate, o.clip, model.fcam.text_dtype)
    if extra.get("scaler"):
        update.scaler.load_state_dict(extra["scaler"])
    per_epoch = max(1, len(train.subjects) // (o.batch * o.accumulate * team.size))
    total, warmup = o.epochs * per_epoch, max(1, int(o.warmup * o.epochs * per_epoch))
    for epoch in range(done, o.epochs):
        model.train()
        step = epoch * per_epoch
        for group in update.groups(_epoch(train, options, "align", epoch, o.batch, o.accumulate, team)):
            # Linear warm-up, then a cosine to nothing: the fine-tuned encoder ends with small steps.
            share = min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
            for parameters, peak in zip(optimiser.param_groups, peaks, strict=True):
                parameters["lr"] = peak * share
            parts = update(
                (faces, batch.captions, subjects) for batch in group for faces, subjects in [_to(batch, device)]
            )
            step += 1
            if step % 10 == 0:
                log("align", step, {name: float(value.detach()) for name, value in parts.items()})
        if team.leads:
            best = _after_epoch(model, validate, log, "align", epoch, best, folder)
            state.save(epoch + 1, {"best": best, "scaler": update.scaler.state_dict()})
        team.wait()
    model.load_state_dict(load_file(folder / "best.safetensors"))


def fuse_step(
    model: TGFR,
    train: TrainSet,
    options: TrainOptions,
    folder: Path,
    validate: Callable[[TGFR], float],
    log: Log,
    team: Team | None = None,
) -> None:
    """Step 2: trains the fusion with the identity loss over the frozen step-1 model; arguments as `align_step`'s."""
    o, device, team = options.fuse, model.device, team or Team(model.device)
    for parameter in model.fcam.parameters():
        parameter.requires_grad_(False)
    classifier = ArcFace(dict(model.layout)["fused"], train.subject_count, o.scale, o.margin).to(device)
    parameters = [*model.fusion.parameters(), *classifier.parameters()]
    optimiser: torch.optim.Optimizer
    if o.optimiser == "sgd":
        optimiser = torch.optim.SGD(parameters, o.lr, momentum=o.momentum, weight_decay=o.weight_decay)
    else:
        optimiser = torch.optim.AdamW(parameters, o.lr, weight_decay=o.weight_decay, fused=True)
    state = RunState(folder, nn.ModuleList([model.fusion, classifier]), optimiser)
    done, extra = state.load()
    best = extra.get("best", -math.inf)
    loss = FuseLoss(model.fusion, classifier, o.contrastive)
    update = Updater(loss, optimiser, team, o.accumulate, options.align.clip, torch.float32)
    per_epoch = max(1, 2 * len(train.subjects) // (o.batch * o.accumulate * team.size))
    if done < o.epochs:
        model.eval()
        constant = options.align.captions == "constant"
        every = [CONSTANT] if constant else [line for own in train.captions for line in own]
        cache = LineCache(model, every, torch.float16)
    for epoch in range(done, o.epochs):
        model.eval()
        model.fusion.train()
        step = epoch * per_epoch
        for group in optimiser.param_groups:
            group["lr"] = o.lr * 0.1 ** sum(epoch >= milestone for milestone in o.milestones)
        for batches in update.groups(_epoch(train, options, "fuse", epoch, o.batch // 2, o.accumulate, team)):
            parts = update(_shared(model, cache, batch) for batch in batches)
            step += 1
            if step % 10 == 0:
                log("fuse", step, {name: float(value.detach()) for name, value in parts.items()})
        if team.leads:
            best = _after_epoch(model, validate, log, "fuse", epoch, best, folder)
            state.save(epoch + 1, {"best": best})
        team.wait()
    model.load_state_dict(load_file(folder / "best.safetensors"))


@torch.no_grad()
def _shared(model: TGFR, cache: LineCache, batch: TrainBatch) -> tuple[SharedFeatures, Tensor]:
    """A batch in the shared space of the frozen step-1 model."""
    faces, subjects = _to(batch, model.device)
    face, regions = model.fcam.face(model.read(faces))
    caption, words, mask = (part.to(model.device) for part in cache.batch(batch.captions)[:3])
    return SharedFeatures(face, caption, regions, words, mask), subjects


def encode_lines(model: TGFR, lines: list[str]) -> tuple[Tensor, Tensor, Tensor]:
    """c, W and mask of a batch of lines, equal ones encoded once, in groups of similar length.

    Half of a mixed batch would be padding.
    """
    distinct = sorted(set(lines), key=lambda line: (len(line), line))
    parts = []
    dtype = model.fcam.text_dtype
    # One context for all groups: the reduced copies of the weights are made once, not once a group.
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        for start in range(0, len(distinct), LENGTH_GROUP):
            parts.append(model.fcam.caption(model.tokenize(distinct[start : start + LENGTH_GROUP])))
    longest = max(mask.shape[1] for _, _, mask in parts)
    at = {line: row for row, line in enumerate(distinct)}
    back = torch.tensor([at[line] for line in lines], device=model.device)
    caption = torch.cat([part[0] for part in parts])[back]
    words = torch.cat([nn.functional.pad(w, (0, 0, 0, longest - w.shape[1])) for _, w, _ in parts])[back]
    mask = torch.cat([nn.functional.pad(m, (0, longest - m.shape[1])) for _, _, m in parts])[back]
    return caption, words, mask


def _epoch(
    train: TrainSet, options: TrainOptions, step: str, epoch: int, batch: int, accumulate: int, team: Team
) -> Iterator[TrainBatch]:
    rng = epoch_rng(options.seed, step, epoch)
    constant = options.align.captions == "constant"
    return training_batches(
        train.features,
        train.subjects,
        train.captions,
        batch,
        rng,
        constant=constant,
        flip=options.model.flip,
        share=(team.rank, team.size),
        multiple=accumulate * team.size,
    )


def _after_epoch(
    model: TGFR, validate: Callable[[TGFR], float], log: Log, step: str, epoch: int, best: float, folder: Path
) -> float:
    """Validates; keeps the model's weights where they are the best so far."""
    model.eval()
    value = validate(model)
    log(step, epoch + 1, {"valid": value})
    if value > best:
        with replacing(folder / "best.safetensors") as temporary:
            save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)
    return max(best, value)
