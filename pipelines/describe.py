"""Step 3 (not in the paper): the reader of whole descriptions learns what the face does not tell.

Two images of a subject: a witness says a line or a few about one, all lines of the other are on record. The reader is
to find the record among those of the batch, with what the frozen face encoder says of a degraded picture already in the
scores. So it spends nothing on what a poor picture still shows, and learns what decides between people who look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.lines import LineCache
from pipelines.team import Team
from pipelines.train_steps import Log, RunState, TrainSet, epoch_rng
from pipelines.updates import Updater
from tgfr_search.data.regimes import CONSTANT
from tgfr_search.data.sampling import IntArray, epoch_pairs
from tgfr_search.losses.info_nce import contrastive
from tgfr_search.model.reader import DescriptionReader
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import TrainOptions

ONE_LINE = 0.6
"""Share of witnesses who say one line; the others say two to four."""

WHOLE_RECORD = 0.8
"""Share of records with all their lines; the others have as few as a witness says."""

EVIDENCE_RATE = 25.0
"""Learning rate of the two numbers that weigh the face, in those of the reader."""


class Said(NamedTuple):
    """Lines of N sets.

    Attributes:
        words: W, [B, L, 256], of all B lines.
        mask: bool [B, L].
        owner: int64 [B], the set of each line.
        lines: float [N], how many lines each set has.
    """

    words: Tensor
    mask: Tensor
    owner: Tensor
    lines: Tensor


class DescribeLoss(nn.Module):
    """InfoNCE of descriptions beside the face's evidence.

    Args:
        reader: Trained.
    """

    def __init__(self, reader: DescriptionReader) -> None:
        super().__init__()
        self.reader = reader
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.evidence = nn.Parameter(torch.tensor([0.0, 30.0]))

    def forward(self, said: Said, record: Said, face: Tensor, quality: Tensor, subjects: Tensor) -> dict[str, Tensor]:
        """Computes the loss.

        Args:
            said: Of N witnesses.
            record: Of N records; record i is of the subject of witness i.
            face: [N, N], cosine of the probes' frozen vectors with those of the records' images.
            quality: [N], of the probes.
            subjects: int64 [N].

        Returns:
            `total`.
        """
        words = self._read(said) @ self._read(record).T * self.log_scale.exp()
        told = (self.evidence[0] + self.evidence[1] * quality)[:, None] * face
        return {"total": contrastive(words + told, subjects)}

    def _read(self, said: Said) -> Tensor:
        vectors: Tensor = self.reader(self.reader.hear(said.words, said.mask), said.owner, said.lines)
        return vectors


def describe_step(
    model: TGFR, train: TrainSet, options: TrainOptions, folder: Path, log: Log, team: Team | None = None
) -> None:
    """Trains the reader over the frozen text encoder, to its last epoch.

    Args:
        model: Changed in place; has a reader.
        train: Training faces and captions; subjects with one image take no part.
        options: The run's.
        folder: For states that a resumed run starts from.
        log: Called with scalars.
        team: The processes of the run; None is this one alone.
    """
    o, team = options.describe, team or Team(model.device)
    reader = model.description
    if reader is None:
        raise ValueError("a model without a reader: options.model.description_dim is 0")
    model.eval()
    loss = DescribeLoss(reader).to(model.device)
    for parameter in reader.parameters():
        parameter.requires_grad_(True)
    groups = [
        {"params": list(reader.parameters()), "lr": o.lr, "weight_decay": o.weight_decay},
        {"params": [loss.log_scale], "lr": o.lr, "weight_decay": 0.0},
        {"params": [loss.evidence], "lr": o.lr * EVIDENCE_RATE, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups)
    peaks = [group["lr"] for group in optimiser.param_groups]
    state = RunState(folder, loss, optimiser)
    done, _ = state.load()
    if done >= o.epochs:
        return
    constant = options.align.captions == "constant"
    captions = [(CONSTANT,)] * len(train.captions) if constant else train.captions
    cache = LineCache(model, [line for own in captions for line in own], torch.float16)
    faces = _Faces(train, model.parts[0][1], options.seed)
    update = Updater(loss, optimiser, team, 1, options.align.clip, torch.float32)
    for epoch in range(done, o.epochs):
        rng = epoch_rng(options.seed, "describe", epoch)
        batches = list(epoch_pairs(train.subjects, o.batch, rng))
        batches = batches[: len(batches) // team.size * team.size]
        for at, (first, second) in enumerate(batches):
            words = [_witness(captions[row], rng) for row in first]
            record = [captions[row] if rng.random() < WHOLE_RECORD else _witness(captions[row], rng) for row in second]
            view = rng.integers(1, len(train.features.views), size=len(first))
            if at % team.size != team.rank:
                continue
            share = (epoch + (at + 1) / len(batches)) / o.epochs
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * min(1.0, share / o.warmup) * (1 - share)
            two = np.flatnonzero(first != second)  # a subject's only image would find its own lines
            face, quality = faces.evidence(first[two], second[two], view[two])
            parts = update(
                [
                    (
                        _said(cache, [words[i] for i in two]),
                        _said(cache, [record[i] for i in two]),
                        face.to(model.device),
                        quality.to(model.device),
                        torch.from_numpy(train.subjects[first[two]]).to(model.device),
                    )
                ]
            )
        log("describe", epoch + 1, {name: float(value.detach()) for name, value in parts.items()})
        if team.leads:
            state.save(epoch + 1, {})
        team.wait()


class _Faces:
    """What the frozen face encoder says of training pictures."""

    def __init__(self, train: TrainSet, frozen: int, seed: int) -> None:
        self.vectors, self.frozen = train.features.vectors, frozen
        some = epoch_rng(seed, "faces", 0).permutation(len(train.subjects))[:4096]
        self.mean = torch.zeros(frozen)
        self.mean = self.unit(np.sort(some), 0).mean(dim=0)

    def unit(self, rows: IntArray, view: int | IntArray) -> Tensor:
        """Frozen vectors, both orientations averaged, unit, less the mean face; [B, D]."""
        vectors = torch.from_numpy(np.asarray(self.vectors[rows, view])[:, :, : self.frozen]).mean(dim=1)
        return F.normalize(vectors, dim=1) - self.mean

    def evidence(self, probe: IntArray, record: IntArray, view: IntArray) -> tuple[Tensor, Tensor]:
        """Cosines of degraded probes with clean records [N, N], and of probes with their own clean pictures [N]."""
        degraded, own = (F.normalize(self.unit(probe, v), dim=1) for v in (view, 0))
        return degraded @ F.normalize(self.unit(record, 0), dim=1).T, (degraded * own).sum(dim=1).clamp(0, 1)


def _witness(lines: Sequence[str], rng: np.random.Generator) -> list[str]:
    count = 1 if rng.random() < ONE_LINE else int(rng.integers(2, 5))
    return [lines[i] for i in rng.permutation(len(lines))[:count]]


def _said(cache: LineCache, sets: Sequence[Sequence[str]]) -> Said:
    features = cache.batch([line for own in sets for line in own])
    counts = torch.tensor([len(own) for own in sets], device=features.words.device)
    owner = torch.repeat_interleave(torch.arange(len(sets), device=counts.device), counts)
    return Said(features.words, features.mask, owner, counts.float())
