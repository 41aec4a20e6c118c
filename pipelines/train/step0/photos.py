"""Step 0 on whole photos: fine-tunes SFace on pictures as poor as they come, taught by itself on the clean ones.

The teacher is the frozen net on the clean photo. The student sees the same photo after the quality ladder or after
`wear`, cut out by the clean photo's points, a little off as a detector's are on a poor picture. Two losses: 1 − cos to
the teacher's vector of the same photo, and an InfoNCE to the teacher's vector of another photo of the subject, against
those of everybody seen so far: the teacher never changes, so its vectors never grow stale and are computed once.

The learning rate rises, stays, and falls at the end (`PhotoAdaptOptions.decay`), so that a run that was stopped before
it fell can be carried on, in a later session or for more steps.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipelines.faces.drawn import drawn
from pipelines.train.run_state import RunState
from pipelines.train.step0.poor import Draw, ladder_level, maybe_mirrored
from pipelines.train.steps import Log, epoch_rng
from tgfr_search.data.degrade import degrade_photo, generator
from tgfr_search.data.sampling import IntArray, epoch_pairs, need_batch
from tgfr_search.data.wear import random_wear, wear_photo
from tgfr_search.encoders.base import prepare, tensors_sha256
from tgfr_search.encoders.sface import DIM, SFaceNet, make_net
from tgfr_search.faces.align import Alignment, align
from tgfr_search.files import cache_key
from tgfr_search.options import PhotoAdaptOptions
from tgfr_search.types import ByteArray, FloatArray

OFF = 0.03
"""How far a point is off, standard deviation in distances between the eyes."""
SAVE_SECONDS = 300.0
LOG_STEPS = 5


class Pixels(Protocol):
    """Photos by their rows: an array, or what reads them when they are asked for."""

    def __getitem__(self, row: int, /) -> ByteArray:
        """uint8 [H, W, 3], RGB."""
        ...


@dataclass(frozen=True)
class FacePhotos:
    """Whole photos with the points of one face each.

    Attributes:
        pixels: N photos.
        points: float32 [N, 5, 2], in the scheme of `alignment`.
        eyes: float32 [N, 2, 2], the eye centres.
        subjects: int64 [N].
        sha256: N digests of the source photos; draws are keyed by them, so wherever the data lie they are the same.
        alignment: The chip that the net reads.
    """

    pixels: Pixels
    points: FloatArray
    eyes: FloatArray
    subjects: IntArray
    sha256: list[str]
    alignment: Alignment

    def __len__(self) -> int:
        return len(self.sha256)

    def digest(self) -> str:
        """Of all photos, their points and whose they are: 16 hex digits."""
        points = np.ascontiguousarray(self.points, np.float32).tobytes()
        return cache_key(sha256=self.sha256, subjects=self.subjects.tolist(), points=points)

    def clean(self, row: int) -> ByteArray:
        """The face of the photo as it is: uint8 [S, S, 3]."""
        return align(self.pixels[row], self.points[row], self.alignment)

    def poor(self, draw: Draw, clean: float, seed: int) -> ByteArray:
        """The face as the student sees it; `clean` is the share of photos that are left as they are."""
        row, key = draw
        rng = generator(key, "view", seed)
        photo, points = self.pixels[row], self.points[row]
        distance = self._distance(row)
        if rng.random() >= clean:
            if level := ladder_level(rng):
                photo = degrade_photo(photo, distance, level, key=key, seed=seed)
            else:
                photo = wear_photo(photo, self.eyes[row], random_wear(key, seed), key=key, seed=seed)
            points = points + np.asarray(rng.normal(0, OFF * distance, points.shape), np.float32)
        return np.ascontiguousarray(maybe_mirrored(align(photo, points, self.alignment), rng))

    def _distance(self, row: int) -> float:
        return float(np.linalg.norm(self.eyes[row, 1] - self.eyes[row, 0]))


class Bank(nn.Module):
    """The teacher's unit vectors of the clean photos, filled as photos are drawn; a part of the run's state."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.vectors: Tensor
        self.known: Tensor
        self.register_buffer("vectors", torch.zeros(count, DIM))
        self.register_buffer("known", torch.zeros(count, dtype=torch.bool))

    @torch.inference_mode()
    def fill(self, rows: list[int], clean: Tensor, teacher: SFaceNet, at_once: int = 0) -> None:
        """Makes these rows known.

        Args:
            rows: Which.
            clean: Their faces as they are, as `to_pixels` takes them.
            teacher: The frozen net.
            at_once: Faces that it is shown at least: cuDNN plans anew, for a second, for every batch of another size.
        """
        if rows:
            pixels = to_pixels(clean, self.vectors.device)
            shown = F.pad(pixels, (0, 0, 0, 0, 0, 0, 0, max(0, at_once - len(rows))))
            seen = teacher(shown.contiguous(memory_format=torch.channels_last))[0][: len(rows)].float()
            self.vectors[rows], self.known[rows] = F.normalize(seen, dim=1), True


@dataclass(frozen=True)
class _Step:
    """What a step is made from.

    Attributes:
        number: Of the step.
        rows: [2B]; row i and row i + B are of one subject.
        new: Those of them that the bank does not know before it.
    """

    number: int
    rows: IntArray
    new: list[int]


@dataclass(frozen=True)
class _Pictures(Dataset[tuple[ByteArray, ByteArray]]):
    """The pictures of each step, drawn wherever they are asked for: what they look like depends on their keys alone."""

    photos: FacePhotos
    steps: list[_Step]
    clean: float
    seed: int

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, at: int) -> tuple[ByteArray, ByteArray]:
        """The faces as the student sees them, uint8 [2B, S, S, 3], and those new to the bank as they are."""
        step, photos = self.steps[at], self.photos
        seen = [photos.poor(Draw(int(row), f"{photos.sha256[row]}/{step.number}/{slot}"), self.clean, self.seed)
                for slot, row in enumerate(step.rows)]  # fmt: skip
        side = photos.alignment.size
        clean = [photos.clean(row) for row in step.new]
        return np.stack(seen), np.stack(clean) if clean else np.empty((0, side, side, 3), np.uint8)


def to_pixels(chips: Tensor, device: torch.device) -> Tensor:
    """float32 [B, 3, S, S] in channels_last, 0–255, of uint8 [B, S, S, 3]."""
    return chips.to(device).permute(0, 3, 1, 2).float()


def against_bank(student: Tensor, partner: Tensor, own: Tensor, bank: Tensor, subjects: Tensor, tau: float) -> Tensor:
    """InfoNCE of each student vector: its partner's teacher vector against everybody else's in the bank.

    Args:
        student: [B, D], unit.
        partner: [B, D], the teacher's unit vector of another photo of the subject.
        own: int64 [B], subjects of the batch.
        bank: [K, D], unit.
        subjects: int64 [K], of the bank; rows of the own subject take no part.
        tau: Temperature.
    """
    positive = (student * partner).sum(dim=1, keepdim=True)
    others = (student @ bank.T).masked_fill(own[:, None] == subjects[None, :], -torch.inf)
    logits = torch.cat([positive, others], dim=1) / tau
    return F.cross_entropy(logits, torch.zeros(len(student), dtype=torch.int64, device=student.device))


def learning_share(step: int, total: int, warmup: float, decay: float) -> float:
    """The share of the peak learning rate at a step: rises, stays, falls in a straight line over the last `decay`."""
    rise = min(1.0, (step + 1) / max(1.0, warmup * total))
    fall = min(1.0, (total - step) / max(1.0, decay * total))
    return min(rise, fall)


def _steps(schedule: Iterator[IntArray], first: int, known: Tensor) -> list[_Step]:
    """The steps from `first` on, with what is new to a bank that knows some rows before them."""
    steps, seen = [], set(known.nonzero().squeeze(1).tolist())
    for number, rows in enumerate(schedule, start=first):
        new = [row for row in dict.fromkeys(rows.tolist()) if row not in seen]
        seen.update(new)
        steps.append(_Step(number, rows, new))
    return steps


def schedule(subjects: IntArray, options: PhotoAdaptOptions, seed: int, first: int, total: int) -> Iterator[IntArray]:
    """Rows of each step from `first` on, [2B]: row i and row i + B are of one subject. A run goes on where it was.

    Raises:
        InputError: There are fewer subjects than a batch has.
    """
    need_batch(subjects, options.batch)
    step = epoch = 0
    while step < total:
        for pair in epoch_pairs(subjects, options.batch, epoch_rng(seed, "adapt", epoch)):
            if first <= step < total:
                yield np.concatenate([pair.first, pair.second])
            step += 1
        epoch += 1


def made_from(photos: FacePhotos, options: PhotoAdaptOptions, seed: int, start: SFaceNet) -> dict[str, str | int]:
    """What a run's state is tied to; how many steps it takes is no part of it."""
    return {
        "photos": photos.digest(),
        "options": cache_key(options=dataclasses.replace(options, steps=0)),
        "seed": seed,
        "start": tensors_sha256(start.state_dict()),
    }


def adapt_photos(
    photos: FacePhotos, options: PhotoAdaptOptions, seed: int, folder: Path, log: Log, start: SFaceNet | None = None, *,
    device: torch.device | str = "cpu", workers: int = 0,
) -> SFaceNet:  # fmt: skip
    """Trains the adapted copy, resumable; the state is written every five minutes.

    Args:
        photos: Training photos.
        options: Of this step; `steps` of them are taken, the first `frozen_blocks` blocks are left alone.
        seed: Of everything drawn.
        folder: For the state that a resumed run starts from.
        log: Called with scalars.
        start: What the student begins as; None is the frozen net. It is trained in place.
        device: Where the nets run.
        workers: Processes that draw the pictures; 0 draws them in this one. What is drawn does not depend on it.

    Raises:
        InputError: There are fewer subjects than a batch has.
        CheckpointError: The folder has the state of a run on other photos, or with other options, seed or start;
            another number of steps goes on.
    """
    device = torch.device(device)
    teacher, net = make_net(), start or make_net()
    prepare(teacher, device, torch.float32)
    run = made_from(photos, options, seed, net)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in (net.stem, *net.blocks[: options.frozen_blocks]):
        part.requires_grad_(False)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=options.lr, weight_decay=0.0)
    bank = Bank(len(photos)).to(device)
    state = RunState(folder, nn.ModuleList([net, bank]), optimiser)
    state.refuse_another(run)
    done, _ = state.load()
    subjects = torch.from_numpy(photos.subjects).to(device)
    steps = _steps(schedule(photos.subjects, options, seed, done, options.steps), done, bank.known)
    loader = DataLoader(_Pictures(photos, steps, options.clean, seed), batch_size=None, num_workers=workers)
    saved = time.monotonic()
    for step, (seen, clean) in zip(steps, drawn(loader), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = options.lr * learning_share(step.number, options.steps, options.warmup, options.decay)
        bank.fill(step.new, clean, teacher, at_once=0 if device.type == "cpu" else len(step.rows))
        student = F.normalize(net(to_pixels(seen, device))[0], dim=1)
        rows = torch.from_numpy(step.rows).to(device)
        taught = bank.vectors[rows]
        known = bank.known.nonzero().squeeze(1)
        distil = (1 - (student * taught).sum(dim=1)).mean()
        contrast = against_bank(
            student, taught.roll(len(rows) // 2, 0), subjects[rows], bank.vectors[known], subjects[known], options.tau
        )
        loss = options.distil * distil + options.contrastive * contrast
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, options.clip)
        optimiser.step()
        done = step.number + 1
        if done % LOG_STEPS == 0:
            log("adapt", done, {"distil": float(distil.detach()), "contrastive": float(contrast.detach())})
        if done == options.steps or time.monotonic() - saved > SAVE_SECONDS:
            state.save(done, {"run": run})
            saved = time.monotonic()
    return net
