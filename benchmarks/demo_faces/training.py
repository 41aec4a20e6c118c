"""How the demo faces' networks are trained: small pictures first, then full size, then against a critic."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.demo_faces.data import SIDE, Faces
from benchmarks.demo_faces.net import LATENT, Critic, Decoder, Encoder
from benchmarks.demo_faces.statistics import Scatter, encode, scatter_of
from tgfr_search.encoders.dlib_resnet import DlibResNet, load_weights
from tgfr_search.faces.align import DLIB_CHIP, similarity
from tgfr_search.types import FloatArray

KL_WEIGHT = 2e-4
MEANS = (122.782, 117.001, 104.298)


@dataclass(frozen=True)
class Phase:
    """One stretch of the training. Rates are Adam's; `images` is how many are seen."""

    name: str
    images: int
    batch: int
    rate: float
    half: bool = False
    critic: bool = False


PHASES = (
    Phase("small", 250_000, 32, 1e-3, half=True),
    Phase("large", 40_000, 16, 5e-4),
    Phase("critic", 70_000, 16, 2e-4, critic=True),
)
Report = Callable[[int, "Trainer"], None]


class Perception:
    """Distance of two faces as dlib's frozen net sees them: its maps and descriptor, each relative to its size."""

    def __init__(self, frame: FloatArray) -> None:
        self.net = DlibResNet()
        self.net.load_state_dict(load_weights()[0])
        self.net.eval().requires_grad_(False).to(torch.bfloat16)
        matrix = similarity(DLIB_CHIP.points, frame)  # chip → frame, in pixels; grid_sample counts −1…1
        x, y = np.meshgrid(np.arange(DLIB_CHIP.size), np.arange(DLIB_CHIP.size))
        places = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
        self.grid = torch.from_numpy(np.float32((places + 0.5) / SIDE * 2 - 1))[None]
        self.means = torch.tensor(MEANS)[None, :, None, None]

    def __call__(self, drawn: Tensor, real: Tensor) -> Tensor:
        """Two of [B, 3, SIDE, SIDE] in −1…1 → a number."""
        with torch.no_grad():
            target = self._see(real)
        return torch.stack(
            [(a - b).abs().mean() / b.abs().mean() for a, b in zip(self._see(drawn), target, strict=True)]
        ).mean()

    def _see(self, picture: Tensor) -> list[Tensor]:
        chip = F.grid_sample(picture, self.grid.expand(len(picture), -1, -1, -1), align_corners=False)
        x = (((chip + 1) * 127.5 - self.means) / 256).to(torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.net.stem(x)), 3, stride=2)
        maps = []
        for stage in self.net.stages:
            x = stage(x)
            maps.append(x.float())
        return [*maps[:4], self.net.head(x.mean(dim=(2, 3))).float()]


class Trainer:
    """Everything that learns.

    Args:
        faces: Train faces.
        frame: float32 [5, 2], where the five points lie in them.
        seed: Of weights, batches and noise.
    """

    def __init__(self, faces: Faces, frame: FloatArray, seed: int) -> None:
        torch.manual_seed(seed)
        self.faces, self.rng = faces, np.random.default_rng(seed)
        self.decoder, self.encoder, self.critic = Decoder(), Encoder(), Critic()
        for net in (self.decoder, self.encoder, self.critic):
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.decoder)
        self.perception = Perception(frame)
        self.weight = _attention()
        self.scatter: Scatter | None = None
        self.losses: dict[str, float] = {}

    def run(self, phases: tuple[Phase, ...] = PHASES, report: Report | None = None, every: int = 10_000) -> None:
        """Train through all phases, calling `report(images seen, self)` now and then."""
        seen = 0
        for phase in phases:
            # Against the critic the codes keep their meaning, so that their scatter, measured now, stays true.
            self.scatter = scatter_of(*encode(self.encoder, self.faces), self.faces.subjects) if phase.critic else None
            makers = [*self.decoder.parameters(), *self.encoder.parameters()]
            momentum = (0.5 if phase.critic else 0.9, 0.99)  # against a critic, old gradients point the wrong way
            make = torch.optim.Adam(makers, phase.rate, momentum)
            judge = torch.optim.Adam(self.critic.parameters(), 1.5 * phase.rate, momentum)
            steps = phase.images // phase.batch
            for step, (real, conditions) in zip(range(steps), self._batches(phase.batch), strict=False):
                # A short warm-up for Adam's moments; the last third anneals.
                factor = min(1.0, (step + 1) / 200, max(0.05, 3 * (1 - step / steps)))
                for optimiser, rate in ((make, phase.rate), (judge, 1.5 * phase.rate)):
                    optimiser.param_groups[0]["lr"] = rate * factor
                self._step(phase, real, conditions, make, judge)
                self._follow(0.99 if phase.half else 0.998)
                seen += phase.batch
                if report and seen % every < phase.batch:
                    report(seen, self)

    def _batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        signs = self.faces.attributes.astype(np.float32) * 2 - 1
        while True:
            order = self.rng.permutation(len(signs))
            for start in range(0, len(order) - size + 1, size):
                rows = order[start : start + size]
                pixels = torch.from_numpy(self.faces.pixels[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
                conditions = np.concatenate([signs[rows], self.faces.pose[rows]], axis=1)
                mirror = self.rng.random(size) < 0.5
                pixels[mirror] = pixels[mirror].flip(-1)
                conditions[mirror, -2] *= -1
                yield pixels, torch.from_numpy(conditions)

    def _step(
        self, phase: Phase, real: Tensor, conditions: Tensor, make: torch.optim.Adam, judge: torch.optim.Adam
    ) -> None:
        small = F.avg_pool2d(real, 2)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(not phase.critic):
                mean, log_variance = self.encoder(small, conditions)
            latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            code = torch.cat([latent, conditions], 1)
            if self.scatter:  # as many people who do not exist
                others = conditions.roll(1, 0)
                code = torch.cat([code, torch.cat([self.scatter.draw(others), others], 1)])
            drawn = self.decoder(code, half=phase.half)
        again, target = drawn[: len(real)], small if phase.half else real
        parts = {
            "pixels": ((again - target).abs() * (F.avg_pool2d(self.weight, 2) if phase.half else self.weight)).mean(),
            "kl": KL_WEIGHT * 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean(),
        }
        if not phase.half:
            parts["perception"] = 0.2 * self.perception(again[::2], real[::2])  # every other face will do
        if phase.critic:
            parts |= self._judged(drawn, real, code[:, LATENT:], judge)
        loss = torch.stack(list(parts.values())).sum()
        make.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(make.param_groups[0]["params"], 1.0)
        make.step()
        self._note(parts)

    def _judged(self, drawn: Tensor, real: Tensor, conditions: Tensor, judge: torch.optim.Adam) -> dict[str, Tensor]:
        """One step of the critic, then what it makes of the drawn pictures."""
        self.critic.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            realism, shown, maps = self.critic(torch.cat([real, drawn.detach()]))
        wanted = [part[: len(real)].detach().float() for part in maps]
        true, false = realism[: len(real)], realism[len(real) :]
        hinge = F.relu(1 - true).mean() + F.relu(1 + false).mean()
        judge.zero_grad()
        (hinge + _mismatch(shown[: len(real)], conditions[: len(real)])).backward()
        judge.step()
        self.critic.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            realism, shown, maps = self.critic(drawn)
        alike = [
            (a[: len(real)] - b).abs().mean() / b.abs().mean() for a, b in zip(maps[1:4], wanted[1:4], strict=True)
        ]
        self._note({"hinge": hinge})
        return {
            "realism": -0.04 * realism.mean(),
            "maps": 0.2 * torch.stack(alike).mean(),
            "shown": 0.08 * _mismatch(shown, conditions),
        }

    def _follow(self, keep: float) -> None:
        with torch.no_grad():
            for mine, latest in zip(self.average.parameters(), self.decoder.parameters(), strict=True):
                mine.lerp_(latest, 1 - keep)

    def _note(self, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            now = value.detach().item()
            self.losses[name] = 0.98 * self.losses.get(name, now) + 0.02 * now


def grown(phases: tuple[Phase, ...], factor: float) -> tuple[Phase, ...]:
    """The same phases, longer or shorter."""
    return tuple(replace(phase, images=int(phase.images * factor)) for phase in phases)


def _mismatch(shown: Tensor, conditions: Tensor) -> Tensor:
    attributes = F.binary_cross_entropy_with_logits(shown[:, :-2], (conditions[:, :-2] + 1) / 2)
    return attributes + 0.1 * F.mse_loss(shown[:, -2:], conditions[:, -2:])


def _attention() -> Tensor:
    """Weight of a pixel's error, [1, 1, SIDE, SIDE]: four times as much in the face as in the background."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    radius = np.hypot((x - 63.5) / 44, (y - 70) / 56)
    return torch.from_numpy(0.4 + 1.2 / (1 + np.exp(8 * (radius - 1))))[None, None]
