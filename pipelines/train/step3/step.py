"""Step 3 itself: epochs, states, the centres of what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipelines.train.run_state import RunState
from pipelines.train.step3.batches import Batch, Descriptions, epoch_batches
from pipelines.train.step3.loss import DescribeLoss, Said
from pipelines.train.steps import Log, TrainSet, epoch_rng
from pipelines.train.team import Team
from pipelines.train.updates import Updater
from tgfr_search.data.regimes import CONSTANT, Lines
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import OptionsError
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import DescribeOptions, TrainOptions


def describe_step(
    model: TGFR,
    train: TrainSet,
    options: TrainOptions,
    folder: Path,
    log: Log,
    team: Team | None = None,
    further: Descriptions | None = None,
) -> None:
    """Trains both readers over the frozen encoders, to their last epoch.

    Args:
        model: Changed in place; has both.
        train: Training faces and captions; subjects with one image take no part.
        options: The run's.
        folder: For states that a resumed run starts from.
        log: Called with scalars.
        team: The processes of the run; None is this one alone.
        further: Descriptions to learn words from that `train` has not.

    Raises:
        OptionsError: An epoch has no whole batch.
    """
    o, team = options.describe, team or Team(model.device)
    reader, looks = model.description, model.looks
    if reader is None or looks is None:
        raise ValueError("a model without readers: options.model.description_dim is 0")
    model.eval()
    loss = DescribeLoss(reader, looks).to(model.device)
    optimiser = _optimiser(loss, [*reader.parameters(), *looks.parameters()], o)
    peaks = [group["lr"] for group in optimiser.param_groups]
    state = RunState(folder, loss, optimiser)
    done, _ = state.load()
    if done >= o.epochs:
        _centre(model, loss)
        return
    further = further or Descriptions(np.empty(0, np.int64), [])
    if options.align.captions == "constant":
        train = TrainSet(train.features, train.subjects, [(CONSTANT,)] * len(train.captions))
        further = Descriptions(further.subjects, [(CONSTANT,)] * len(further.captions))
    cache = LineCache(model, [line for own in (*train.captions, *further.captions) for line in own], torch.float16)
    update = Updater(loss, optimiser, team, 1, options.align.clip, torch.float32)
    for epoch in range(done, o.epochs):
        batches = epoch_batches(train, further, o.batch, epoch_rng(options.seed, "describe", epoch))
        steps = len(batches) // team.size
        if not steps:
            found = f"{o.batch} subjects a batch, {train.subject_count} subjects, {team.size} processes"
            raise OptionsError(f"{options.name}: describe.batch", found=found, expected="a batch for every process")
        loss.train()
        totals: dict[str, list[float]] = {}
        for step, batch in enumerate(batches[team.rank : steps * team.size : team.size], 1):
            _set_rates(optimiser, peaks, (epoch + step / steps) / o.epochs, o.warmup)
            for name, value in update([_inputs(cache, train, batch, model)]).items():
                totals.setdefault(name, []).append(float(value.detach()))
        loss.eval()
        log("describe", epoch + 1, {name: sum(values) / len(values) for name, values in totals.items()})
        if team.leads:
            state.save(epoch + 1, {})
        team.wait()
    _centre(model, loss)


def _optimiser(loss: DescribeLoss, readers: list[nn.Parameter], options: DescribeOptions) -> torch.optim.AdamW:
    for parameter in readers:
        parameter.requires_grad_(True)
    groups = [
        {"params": readers, "lr": options.lr, "weight_decay": options.weight_decay},
        {"params": list(loss.temperatures.parameters()), "lr": options.lr, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups)


def _set_rates(optimiser: torch.optim.AdamW, peaks: Sequence[float], share: float, warmup: float) -> None:
    """Learning rates once `share` of all steps is done: up to their peaks, then down to nothing."""
    for group, peak in zip(optimiser.param_groups, peaks, strict=True):
        group["lr"] = peak * min(1.0, share / warmup) * (1 - share)


def _centre(model: TGFR, loss: DescribeLoss) -> None:
    model.get_buffer("centre_description").copy_(loss.centre)
    model.get_buffer("centre_looks").copy_(loss.looks_centre)


def _faces(train: TrainSet, batch: Batch, model: TGFR) -> FaceFeatures | None:
    if batch.rows is None or batch.views is None:
        return None
    found = train.features.batch(batch.rows, batch.views)
    return model.read(FaceFeatures(*(part.to(model.device) for part in found)))


def _inputs(
    cache: LineCache, train: TrainSet, batch: Batch, model: TGFR
) -> tuple[Said, Said, torch.Tensor, FaceFeatures | None]:
    """What the loss is given of a batch."""
    subjects = torch.from_numpy(batch.subjects).to(model.device)
    said, record = _said(cache, batch.said), _said(cache, batch.record)
    return said, record, subjects, _faces(train, batch, model)


def _said(cache: LineCache, sets: Sequence[Lines]) -> Said:
    words, of_line = cache.words_of([line for own in sets for line in own])
    counts = torch.tensor([len(own) for own in sets], device=words.device)
    owner = torch.arange(len(sets), device=words.device).repeat_interleave(counts)
    return Said(words, owner[of_line], counts.float())
