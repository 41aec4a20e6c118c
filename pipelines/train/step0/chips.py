"""Step 0: fine-tunes a copy of the face net on degraded faces, taught by the frozen net on the clean ones; resumable.

The teacher is the frozen encoder on the undegraded picture, centred (its vectors share a large common part); the
student sees the picture as poor as chance makes it. Distillation keeps what the teacher knows of millions of faces, the
identity loss and the contrast between two pictures of a subject say which part of it matters.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from pipelines.faces.aligned import Chips
from pipelines.faces.features import view
from pipelines.train.run_state import RunState
from pipelines.train.step0.pictures import Batches, Pictures, stack
from pipelines.train.steps import Log
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.sampling import IntArray, need_batch
from tgfr_search.encoders.adapted import save_adapted
from tgfr_search.encoders.base import prepare
from tgfr_search.encoders.dlib_resnet import DIM, DlibFaceEncoder, DlibResNet, pixels
from tgfr_search.encoders.mapped import both_ways
from tgfr_search.evaluation.identification import mate_ranks, rank_k
from tgfr_search.files import replacing
from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.info_nce import info_nce
from tgfr_search.options import AdaptOptions
from tgfr_search.types import FloatArray

ENCODE_BATCH = 64


def encode_all(net: nn.Module, chips: Chips, name: str, seed: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Vectors of all chips in one view, both orientations averaged: float32 [N, 128] on the CPU."""
    out = []
    with torch.inference_mode():
        for start in range(0, len(chips), ENCODE_BATCH):
            rows = range(start, min(start + ENCODE_BATCH, len(chips)))
            batch = np.stack([view(chips.pixels[i], name, chips.sha256[i], seed) for i in rows])
            out.append(both_ways(net, pixels(batch, device, dtype), True, 3).global_.cpu())
    return torch.cat(out)


def _rank1(gallery: FloatArray, probes: FloatArray, subjects: IntArray, first: IntArray, rest: IntArray) -> float:
    column = {int(subject): at for at, subject in enumerate(subjects[first])}
    mate = np.array([column[int(s)] for s in subjects[rest]])
    ranks = mate_ranks(probes[rest] @ gallery[first].T, mate, np.arange(len(first)))
    return float(rank_k(ranks, 1).value or 0.0)


def judge(
    net: DlibResNet, valid: Chips, teacher: FloatArray, seed: int, device: torch.device, dtype: torch.dtype
) -> dict[str, float]:
    """Rank-1 of valid at every level, by the adapted vector alone and by the mean of both cosines."""
    still = copy.deepcopy(net)
    prepare(still, device, dtype)
    subjects = np.unique(valid.subjects, return_inverse=True)[1].astype(np.int64)
    order = np.array(sorted(range(len(valid)), key=valid.names.__getitem__))
    first = order[np.unique(subjects[order], return_index=True)[1]]
    rest = np.setdiff1d(order, first)
    views = ("original", *tuple(LADDER)[1:])
    vectors = [F.normalize(encode_all(still, valid, name, seed, device, dtype), dim=1).numpy() for name in views]
    out = {name: _rank1(vectors[0], one, subjects, first, rest) for name, one in zip(views, vectors, strict=True)}
    both = [np.concatenate([vectors[at], teacher[at]], axis=1) for at in range(len(views))]
    return out | {
        f"{name}+frozen": _rank1(both[0], one, subjects, first, rest) for name, one in zip(views, both, strict=True)
    }


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
    clean = _kept(
        folder / "teacher.safetensors", lambda: encode_all(frozen.net, train, "original", seed, device, dtype)
    )
    mean = clean.mean(dim=0)
    taught = F.normalize(clean - mean, dim=1).to(device)
    net = _student(frozen, mean).to(device)
    classifier = _classifier(taught, subjects, options)
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.average))
    kept = averaged.module
    assert isinstance(kept, DlibResNet)
    groups = [
        {"params": list(net.parameters()), "lr": options.lr},
        {"params": list(classifier.parameters()), "lr": options.class_lr},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
    state = RunState(folder, nn.ModuleList([net, classifier, averaged]), optimiser)
    done, extra = state.load()
    best = extra.get("best", -math.inf)
    teacher = _teacher(frozen, valid, mean, seed, folder)
    per_epoch = len(Batches(subjects, train, options.batch, seed, 0))
    total = options.epochs * per_epoch
    for epoch in range(done, options.epochs):
        batches = Batches(subjects, train, options.batch, seed, epoch)
        loader = DataLoader(
            Pictures(train, options.clean, seed), batch_sampler=batches, collate_fn=stack, num_workers=workers
        )
        net.train()
        for at, chips in enumerate(loader):
            step = epoch * per_epoch + at
            share = min(1.0, (step + 1) / max(1, options.warmup * total)) * 0.5 * (1 + math.cos(math.pi * step / total))
            for group, peak in zip(optimiser.param_groups, (options.lr, options.class_lr), strict=True):
                group["lr"] = peak * share
            rows = torch.from_numpy(batches.rows[at])
            own = torch.from_numpy(subjects[batches.rows[at]]).to(device)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                vector, _ = net(pixels(chips, device, torch.float32))
            loss, parts = _loss(F.normalize(vector.float(), dim=1), taught[rows], own, classifier, options)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), options.clip)
            optimiser.step()
            averaged.update_parameters(net)
            if (step + 1) % 10 == 0:
                log("adapt", step + 1, {name: float(value.detach()) for name, value in parts.items()})
        reached = judge(kept, valid, teacher, seed, device, dtype)
        log("adapt valid", epoch + 1, reached)
        value = float(np.mean(list(reached.values())))
        if value > best:
            best = value
            save_adapted(target, kept, frozen.spec.sha256, {"epoch": epoch + 1, "valid_rank1": reached})
        state.save(epoch + 1, {"best": best})
    return target


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


def _teacher(frozen: DlibFaceEncoder, valid: Chips, mean: Tensor, seed: int, folder: Path) -> FloatArray:
    """The frozen encoder's centred unit vectors of valid at every level: float32 [levels, N, 128]."""
    views = ("original", *tuple(LADDER)[1:])

    def make() -> Tensor:
        each = [encode_all(frozen.net, valid, name, seed, frozen.device, frozen.dtype) for name in views]
        return F.normalize(torch.stack(each) - mean, dim=2)

    out: FloatArray = _kept(folder / "teacher-valid.safetensors", make).numpy()
    return out


def _kept(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """A tensor from its file, made where there is none."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file({"vectors": make().contiguous()}, temporary)
    return load_file(path)["vectors"]
