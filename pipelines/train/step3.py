"""Step 3 (not in the paper): the readers of whole descriptions and of looks.

Two pictures of a subject: a witness says a line or a few about one, all lines of the other are on record. The reader is
to find the record among those of the batch, and the other picture by its face alone. Further descriptions, in other
people's words, may come without pictures.
Telling the loss what the frozen face encoder sees already made no difference (docs/experiments.md, 21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.train.run_state import RunState
from pipelines.train.steps import Log, TrainSet, epoch_rng
from pipelines.train.team import Team
from pipelines.train.updates import Updater
from tgfr_search.data.records import read_records
from tgfr_search.data.regimes import CONSTANT, Lines
from tgfr_search.data.sampling import IntArray, epoch_pairs
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError, OptionsError
from tgfr_search.losses.info_nce import Temperature, contrastive
from tgfr_search.model.line_cache import LineCache
from tgfr_search.model.looks import LooksReader
from tgfr_search.model.reader import DescriptionReader
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import TrainOptions

ONE_LINE = 0.6
"""Share of witnesses who say one line; the others say two to four."""

WHOLE_RECORD = 0.8
"""Share of records with all their lines; the others have as few as a witness says."""

CENTRE_STEP = 0.05
"""Of the running mean of the vectors."""

UNDEGRADED = 0.75
"""Share of pictures on record that are seen as they are; the others in any view of the training set."""

OTHER_PICTURE = 0.7
"""Share of further descriptions that meet another picture's, where there is that and a second line of their own."""


class Said(NamedTuple):
    """Words of N sets of lines, as `DescriptionReader` takes them."""

    words: Tensor
    owner: Tensor
    lines: Tensor


class DescribeLoss(nn.Module):
    """InfoNCE between what witnesses say and what is on record: the lines, the face, and both together.

    Together, so that a face tells what the lines leave out and not what they say already.

    Args:
        reader: Trained.
        looks: Trained.
    """

    centre: Tensor
    """Running mean of the reader's vectors, [outputs]."""
    looks_centre: Tensor
    """That of the vectors of looks."""

    def __init__(self, reader: DescriptionReader, looks: LooksReader) -> None:
        super().__init__()
        self.reader, self.looks = reader, looks
        of = ("lines", "looks", "lines of both", "looks of both")
        self.temperatures = nn.ModuleDict({name: Temperature(0.1) for name in of})
        # Few and many lines lie apart, so the centre is that of both sides together, and what is trained is what is
        # left without it: exactly what a search compares.
        self.register_buffer("centre", torch.zeros(reader.linear.out_features))
        self.register_buffer("looks_centre", torch.zeros(reader.linear.out_features))

    def forward(
        self, said: Said, record: Said, subjects: Tensor, faces: FaceFeatures | None = None
    ) -> dict[str, Tensor]:
        """Computes the loss.

        Args:
            said: Of N witnesses.
            record: Of N records; record i is of the subject of witness i.
            subjects: int64 [N].
            faces: Of the N pictures on record, where there are pictures.

        Returns:
            `total` and its parts: `lines`, `looks` and `both`.
        """
        both = [self.reader(*said), self.reader(*record)]
        centre = torch.cat(both).mean(dim=0)
        one, other = (F.normalize(vectors - centre, dim=1) for vectors in both)
        tau = {name: own() for name, own in self.temperatures.items()}
        lines = one @ other.T
        parts = {"lines": contrastive(lines / tau["lines"], subjects)}
        with torch.no_grad():
            self.centre.lerp_(centre, CENTRE_STEP)
        if faces is not None:
            seen = self.looks(faces)
            middle = seen.mean(dim=0)
            looks = one @ F.normalize(seen - middle, dim=1).T
            parts["looks"] = contrastive(looks / tau["looks"], subjects)
            parts["both"] = contrastive(lines / tau["lines of both"] + looks / tau["looks of both"], subjects)
            with torch.no_grad():
                self.looks_centre.lerp_(middle, CENTRE_STEP)
        return {"total": torch.stack(list(parts.values())).sum(), **parts}


@dataclass(frozen=True)
class Descriptions:
    """Descriptions of people without pictures of them, from tables that are no training set of faces.

    Attributes:
        subjects: int64 [M], numbered as in the `TrainSet`; those that it has not follow its own.
        captions: M non-empty tuples of lines.
    """

    subjects: IntArray
    captions: list[tuple[str, ...]]

    @staticmethod
    def read(paths: Sequence[str], split: str, known: Sequence[str]) -> Descriptions:
        """Reads tables.

        Args:
            paths: Data sets in any form that `index` takes; their photos are not opened.
            split: Which split of them.
            known: Subject ids of the training set, sorted as its numbers are.

        Raises:
            InputError: A table is not there, or has no description in that split.
        """
        number = {subject: at for at, subject in enumerate(known)}
        subjects: list[int] = []
        captions: list[tuple[str, ...]] = []
        for path in paths:
            before = len(captions)
            for record in read_records(Path(path), split=split, on_problem=lambda problem: None):
                lines = tuple(line for line in record.captions if line.strip())
                if lines:
                    subjects.append(number.setdefault(str(record.subject_id), len(number)))
                    captions.append(lines)
            if len(captions) == before:
                raise InputError(
                    f"describe.further {path}", found=f"no description in split {split!r}", expected="some"
                )
        return Descriptions(np.array(subjects, np.int64), captions)


class _Batch(NamedTuple):
    """What witnesses say, what is on record, of whom; and of which images in which views, where there are pictures."""

    said: list[Lines]
    record: list[Lines]
    subjects: IntArray
    rows: IntArray | None = None
    views: IntArray | None = None


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
    readers = [*reader.parameters(), *looks.parameters()]
    for parameter in readers:
        parameter.requires_grad_(True)
    groups = [
        {"params": readers, "lr": o.lr, "weight_decay": o.weight_decay},
        {"params": list(loss.temperatures.parameters()), "lr": o.lr, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups)
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
        batches = _epoch(train, further, o.batch, epoch_rng(options.seed, "describe", epoch))
        steps = len(batches) // team.size
        if not steps:
            found = f"{o.batch} subjects a batch, {train.subject_count} subjects, {team.size} processes"
            raise OptionsError(f"{options.name}: describe.batch", found=found, expected="a batch for every process")
        loss.train()
        totals: dict[str, list[float]] = {}
        for step, batch in enumerate(batches[team.rank : steps * team.size : team.size], 1):
            share = (epoch + step / steps) / o.epochs
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * min(1.0, share / o.warmup) * (1 - share)
            subjects = torch.from_numpy(batch.subjects).to(model.device)
            said, record = _said(cache, batch.said), _said(cache, batch.record)
            for name, value in update([(said, record, subjects, _faces(train, batch, model))]).items():
                totals.setdefault(name, []).append(float(value.detach()))
        loss.eval()
        log("describe", epoch + 1, {name: sum(values) / len(values) for name, values in totals.items()})
        if team.leads:
            state.save(epoch + 1, {})
        team.wait()
    _centre(model, loss)


def _centre(model: TGFR, loss: DescribeLoss) -> None:
    model.get_buffer("centre_description").copy_(loss.centre)
    model.get_buffer("centre_looks").copy_(loss.looks_centre)


def _faces(train: TrainSet, batch: _Batch, model: TGFR) -> FaceFeatures | None:
    if batch.rows is None or batch.views is None:
        return None
    found = train.features.batch(batch.rows, batch.views)
    return model.read(FaceFeatures(*(part.to(model.device) for part in found)))


def _epoch(train: TrainSet, further: Descriptions, size: int, rng: np.random.Generator) -> list[_Batch]:
    """All batches of an epoch, in random order."""
    batches = []
    for first, second in epoch_pairs(train.subjects, size, rng):
        two = np.flatnonzero(first != second)  # a subject's only image would find its own lines
        if not len(two):
            continue
        said = [_witness(train.captions[row], rng) for row in first[two]]
        record = [_record(train.captions[row], rng) for row in second[two]]
        views = np.where(rng.random(len(two)) < UNDEGRADED, 0, rng.integers(len(train.features.views), size=len(two)))
        batches.append(_Batch(said, record, train.subjects[first[two]], second[two], views))
    texts = [*train.captions, *further.captions]
    same: dict[int, list[int]] = {}
    for row, subject in enumerate([*train.subjects.tolist(), *further.subjects.tolist()]):
        same.setdefault(subject, []).append(row)
    pairs = []
    for row in len(train.captions) + rng.permutation(len(further.captions)):
        others = [other for other in same[int(further.subjects[row - len(train.captions)])] if other != row]
        lines = texts[row]
        if others and (len(lines) < 2 or rng.random() < OTHER_PICTURE):
            pairs.append((row, _witness(lines, rng), _record(texts[others[int(rng.integers(len(others)))]], rng)))
        elif len(lines) > 1:
            order = [lines[i] for i in rng.permutation(len(lines))]
            pairs.append((row, tuple(order[:1]), tuple(order[1:])))
    for start in range(0, len(pairs), size):
        rows, said, record = (list(part) for part in zip(*pairs[start : start + size], strict=True))
        batches.append(_Batch(said, record, further.subjects[np.array(rows) - len(train.captions)]))
    return [batches[i] for i in rng.permutation(len(batches))]


def _witness(lines: Lines, rng: np.random.Generator) -> Lines:
    count = 1 if rng.random() < ONE_LINE else int(rng.integers(2, 5))
    return tuple(lines[i] for i in rng.permutation(len(lines))[:count])


def _record(lines: Lines, rng: np.random.Generator) -> Lines:
    return lines if rng.random() < WHOLE_RECORD else _witness(lines, rng)


def _said(cache: LineCache, sets: Sequence[Lines]) -> Said:
    words, of_line = cache.words_of([line for own in sets for line in own])
    counts = torch.tensor([len(own) for own in sets], device=words.device)
    owner = torch.arange(len(sets), device=words.device).repeat_interleave(counts)
    return Said(words, owner[of_line], counts.float())
