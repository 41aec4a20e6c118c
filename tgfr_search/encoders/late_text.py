"""A text encoder that is read when the first words come.

Nine tenths of what it costs are `transformers` itself: five seconds of a command's start, which a search by a picture,
a comparison of two pictures, or photos that nobody described have no use for.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tgfr_search.encoders.base import TextFeatures, TokenBatch
from tgfr_search.encoders.tensors import read_tensors

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"

_reading = threading.Lock()


def _renew_lock() -> None:
    global _reading
    _reading = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)  # another thread may have held it


def told_dim(folder: Path) -> int | None:
    """D of the word embeddings as config.json tells it at its top; None where that, or a file, is not as usual.

    Such a folder is to be read at once: what is wrong with it is told then.
    """
    try:
        config, tokenizer = (json.loads((folder / name).read_text("utf-8")) for name in ("config.json", TOKENIZER))
        found = config.get("hidden_size") if tokenizer.get("model") else None
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) and (folder / WEIGHTS).is_file() else None


class LateTextEncoder(nn.Module):
    """A frozen `TextEncoder` of a folder, for inference alone: until words come it has no parameters.

    Args:
        folder: Its files; the weights are looked through now, so that a damaged file is told at once.
        dim: D of a word embedding.
        load: Reads it from the folder.

    Raises:
        InputError: The file of weights is damaged.
    """

    where: torch.Tensor
    """Nothing but the device that the model was moved to."""

    def __init__(self, folder: Path, dim: int, load: Callable[[Path], nn.Module]) -> None:
        super().__init__()
        read_tensors(folder / WEIGHTS)
        self.folder, self.dim, self._load = folder, dim, load
        self.register_buffer("where", torch.empty(0), persistent=False)

    def read(self) -> Any:
        """The encoder itself, read at the first call, by one thread.

        Raises:
            InputError: The folder does not hold it.
        """
        with _reading:
            if "encoder" not in self._modules:
                encoder = self._load(self.folder).eval().requires_grad_(False)
                self.add_module("encoder", encoder.to(self.where.device))
        return self._modules["encoder"]

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """As the encoder's."""
        tokens: TokenBatch = self.read().tokenize(captions)
        return tokens

    def forward(self, tokens: TokenBatch) -> TextFeatures:
        """As the encoder's."""
        features: TextFeatures = self.read()(tokens)
        return features

    def save(self, folder: Path) -> None:
        """As the encoder's."""
        self.read().save(folder)
