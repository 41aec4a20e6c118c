"""The networks behind the demo faces: a conditional variational autoencoder whose decoder also learns from a critic.

Only the decoder is shipped; `export` writes it as `tgfr_search.data.face_decoder` reads it. All maps are at most 64×64
(the picture's 2×2 pixels are channels), so that a few hours on one CPU core are enough.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.demo_faces.data import CONDITIONS
from tgfr_search.data.face_decoder import EPSILON, SLOPE, START

LATENT = 96
CODE = LATENT + len(CONDITIONS) + 2
"""Latent code, one sign per attribute, two numbers of pose."""
WIDTHS = (256, 256, 192, 128, 64, 48)
"""Channels at 4, 8, 16, 32, 64 and once more 64 pixels."""


class Block(nn.Module):
    """Modulate and mix at the lower resolution, where it is cheap; then enlarge and convolve."""

    def __init__(self, inputs: int, outputs: int, *, noisy: bool, enlarge: bool) -> None:
        super().__init__()
        self.style = nn.Linear(CODE, 2 * inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1)
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.noise = nn.Parameter(torch.zeros(outputs)) if noisy else None
        self.enlarge = enlarge
        nn.init.normal_(self.style.weight, std=0.03)
        nn.init.zeros_(self.style.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """[B, inputs, h, w] and [B, CODE] → [B, outputs, 2h, 2w] (or h, w)."""
        scale, shift = self.style(code)[:, :, None, None].chunk(2, dim=1)
        x = x * x.square().mean(dim=(1, 2, 3), keepdim=True).add(EPSILON).rsqrt()  # keeps training steady
        x = self.mix(torch.addcmul(shift, x, 1 + scale))
        if self.noise is not None:
            grain = torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype)
            x = torch.addcmul(x, self.noise.to(x.dtype)[None, :, None, None], grain)
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        return F.leaky_relu(self.conv(x), SLOPE)


class Decoder(nn.Module):
    """Code → picture, at half size (the first three blocks and a head of their own) or at full size."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(CODE, START * START * WIDTHS[0])
        pairs = list(pairwise(WIDTHS))
        self.blocks = nn.ModuleList(
            Block(a, b, noisy=i >= 2, enlarge=i < len(pairs) - 1) for i, (a, b) in enumerate(pairs)
        )
        self.rgb_half = nn.Conv2d(WIDTHS[3], 12, 3, padding=1)
        self.rgb = nn.Conv2d(WIDTHS[-1], 12, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE)

    def forward(self, code: Tensor, *, half: bool = False) -> Tensor:
        """[B, CODE] → [B, 3, 128, 128] in −1…1, or [B, 3, 64, 64]."""
        x = F.leaky_relu(self.start(code), SLOPE).view(-1, WIDTHS[0], START, START)
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks[:3] if half else self.blocks:
            x = block(x, code)
        head = self.rgb_half if half else self.rgb
        return torch.tanh(F.pixel_shuffle(head(x), 2).float())


class Encoder(nn.Module):
    """Picture at half size and conditions → mean and log-variance of the latent code."""

    def __init__(self) -> None:
        super().__init__()
        widths = (12, 64, 128, 256, 256)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3 if i == 0 else 4, stride=1 if i == 0 else 2, padding=1)
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for width in widths[1:])
        self.head = nn.Linear(16 * widths[-1] + CODE - LATENT, 2 * LATENT)

    def forward(self, picture: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, 64, 64], [B, CODE − LATENT] → two of [B, LATENT]."""
        x = F.pixel_unshuffle(picture, 2).contiguous(memory_format=torch.channels_last)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.leaky_relu(norm(layer(x)), SLOPE)
        mean, log_variance = self.head(torch.cat([x.flatten(1), conditions], 1)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 2)


class Critic(nn.Module):
    """Picture → how real it looks, and which conditions it shows."""

    def __init__(self) -> None:
        super().__init__()
        normed = nn.utils.parametrizations.spectral_norm
        widths = (12, 48, 96, 160, 256, 256)
        self.layers = nn.ModuleList(
            normed(nn.Conv2d(a, b, 3 if i == 0 else 4, stride=1 if i == 0 else 2, padding=1))
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.whole = normed(nn.Linear(16 * widths[-1], 1))
        self.local = normed(nn.Conv2d(widths[4], 1, 3, padding=1))
        self.shown = nn.Linear(16 * widths[-1], CODE - LATENT)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """[B, 3, 128, 128] → realism [B, 1], conditions [B, CODE − LATENT], maps of all layers."""
        x = F.pixel_unshuffle(picture, 2).contiguous(memory_format=torch.channels_last)
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        flat = x.flatten(1)
        realism = self.whole(flat).float() + self.local(maps[3]).float().mean(dim=(2, 3))
        return realism, self.shown(flat).float(), maps


def export(decoder: Decoder) -> dict[str, Tensor]:
    """The tensors of the full-size decoder under the names and in the layouts of `FaceDecoder`, float32."""
    tensors = {}
    for name, value in decoder.state_dict().items():
        if name.startswith("rgb_half"):
            continue
        if value.ndim == 4:  # [out, in, h, w] → [h·w·in, out]
            value = value.permute(2, 3, 1, 0).reshape(-1, value.shape[0])
        elif name == "start.weight":  # the map is channels first in torch, channels last in NumPy
            value = value.reshape(WIDTHS[0], -1, CODE).permute(2, 1, 0).reshape(CODE, -1)
        elif name == "start.bias":
            value = value.reshape(WIDTHS[0], -1).T.reshape(-1)
        elif value.ndim == 2:
            value = value.T
        tensors[name.replace("blocks.", "block")] = value.contiguous()
    return tensors
