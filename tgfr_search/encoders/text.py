"""Any transformers encoder as a trainable `TextEncoder`: by folder, by the name of a package, or from the hub.

Of a model of pictures and text (ALIGN, CLIP, BLIP, FLAVA, GroupViT) only the text tower is loaded.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tgfr_search.encoders.base import TextFeatures, TokenBatch
from tgfr_search.encoders.tensors import read_tensors
from tgfr_search.errors import InputError

MAX_TOKENS = 64
"""A longer caption is cut and the cut is reported: `data inspect` counts 42 of Face2Text's 4,733 lines, with MiniLM."""

TOWERS = {
    "align": "AlignTextModel",
    "blip": "BlipTextModel",
    "clip": "CLIPTextModel",
    "flava": "FlavaTextModel",
    "groupvit": "GroupViTTextModel",
}
"""Model type of a whole model → transformers' class of its text tower; the tower's own type is `<type>_text_model`."""
TOWER_KEYS = {r"^(flava\.)?(text_model|text_encoder)\.": ""}
"""How the published files name the tower: `text_model.` (ALIGN), `text_encoder.` (BLIP retrieval), `flava.text_model.`.
Without this transformers 5 finds not one weight of those three and starts from random numbers with a warning."""

_quieting = threading.Lock()


def _renew_lock() -> None:
    global _quieting
    _quieting = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)  # another thread may have held it


@contextmanager
def _quiet() -> Iterator[None]:
    """A load that transformers does not comment on: a pooler left out is no news. Its own settings return."""
    from transformers.utils import logging

    with _quieting:
        level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bar:
                logging.enable_progress_bar()


def _transformer(folder: Path) -> Any:
    """The text encoder of a transformers folder, in float32.

    Raises:
        OSError, ValueError, KeyError: From transformers: there is none.
        InputError: The folder's weights are not those of its config.
    """
    import transformers

    kind = str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type"))
    tower = TOWERS.get(kind.removesuffix("_text_model"))
    options: dict[str, Any] = {"local_files_only": True, "dtype": torch.float32, "output_loading_info": True}
    if tower:
        model, info = getattr(transformers, tower).from_pretrained(folder, key_mapping=TOWER_KEYS, **options)
    else:
        model, info = transformers.AutoModel.from_pretrained(folder, **options)
    # transformers starts a weight that it does not find from random numbers. Only the pooler, which is not used, may.
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    if missing:
        some = ", ".join(missing[:6])
        raise InputError(
            f"text encoder {folder}",
            found=f"no weights for {len(missing)} tensors: {some}",
            expected=f"the weights of a {type(model).__name__}",
            do="a checkpoint that has the text encoder",
        )
    return model


def _need_words(tokenizer: Any) -> None:
    """Refuses a vocabulary of special tokens alone: what transformers makes of a folder without the tokenizer's files.

    Every word would be the unknown one, and every description the same.

    Raises:
        ValueError: It has no words.
    """
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ValueError(f"a tokenizer of {len(tokenizer)} special tokens and no word; is tokenizer.json missing?")


class TransformerTextEncoder(nn.Module):
    """A transformers encoder and its tokenizer.

    Args:
        model: Takes `input_ids` and `attention_mask`, gives `last_hidden_state`.
        tokenizer: A fast tokenizer that marks its special tokens.
        max_tokens: The longest sequence read, special tokens included.
    """

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int = MAX_TOKENS) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        positions = int(getattr(model.config, "max_position_embeddings", max_tokens))
        # RoBERTa counts positions from the one behind the padding's: its config of 514 reads 512 tokens.
        before = getattr(getattr(model, "embeddings", None), "padding_idx", None)
        self.max_tokens = min(max_tokens, positions if before is None else positions - before - 1)
        # The first call tells the tokenizer to pad and cut, which no other thread may meet half-way; later ones read.
        tokenizer([""], padding=True, truncation=True, max_length=self.max_tokens)

    @classmethod
    def load(cls, folder: Path, max_tokens: int = MAX_TOKENS) -> TransformerTextEncoder:
        """Loads from a local folder; never from the network, in float32.

        Raises:
            InputError: The folder does not hold a transformers encoder with all its weights.
        """
        from transformers import AutoTokenizer

        for path in sorted(folder.glob("*.safetensors")):
            read_tensors(path)  # a damaged file is told in plain words; transformers would not
        try:
            with _quiet():
                model = _transformer(folder)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            _need_words(tokenizer)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"text encoder {folder}",
                found=str(error).splitlines()[0],
                expected="a transformers folder: config.json, model.safetensors, tokenizer.json",
            ) from error
        return cls(model, tokenizer, max_tokens)

    @property
    def dim(self) -> int:
        """D of a word embedding."""
        return int(self.model.config.hidden_size)

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """Tokenises, pads to the longest caption of the batch, and counts the captions cut at `max_tokens`.

        An empty caption gives a row without words.
        """
        batch = self.tokenizer(
            list(captions),
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_special_tokens_mask=True,
            return_overflowing_tokens=True,
            return_tensors=None,
        )
        # Overflow comes as further rows that name the caption they belong to: keep the first of each.
        owner = batch["overflow_to_sample_mapping"]
        first = [i for i, sample in enumerate(owner) if i == 0 or sample != owner[i - 1]]
        ids, attention, special = (
            torch.tensor([batch[key][i] for i in first])
            for key in ("input_ids", "attention_mask", "special_tokens_mask")
        )
        cut = len({sample for i, sample in enumerate(owner) if i not in set(first)})
        return TokenBatch(ids, attention, attention.bool() & ~special.bool(), cut)

    def forward(self, tokens: TokenBatch) -> TextFeatures:
        """Args: tokens on the model's device. Returns: contextual embeddings of the words, [B, L, D]."""
        hidden: Tensor = self.model(input_ids=tokens.ids, attention_mask=tokens.attention).last_hidden_state
        return TextFeatures(hidden, tokens.words)

    def save(self, folder: Path, dtype: torch.dtype = torch.float16) -> None:
        """Writes a transformers folder; in float16 it is half the bytes, and far below the noise of training."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        state = {name: tensor.detach().cpu().to(dtype).contiguous() for name, tensor in self.model.state_dict().items()}
        save_file(state, folder / "model.safetensors", {"format": "pt"})
