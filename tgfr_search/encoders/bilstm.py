"""A bidirectional LSTM over word vectors: the text side of the paper's BiLSTM-FLF baseline (§4.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tgfr_search.encoders.base import TextFeatures, TokenBatch
from tgfr_search.encoders.tensors import read_tensors
from tgfr_search.errors import InputError

MODEL_TYPE = "tgfr-bilstm"
MAX_TOKENS = 64
VOCABULARY = 20_000
PAD, UNKNOWN = "[PAD]", "[UNK]"


class BiLSTMTextEncoder(nn.Module):
    """Word embeddings, one bidirectional LSTM layer, one vector a word.

    Args:
        tokenizer: Word-level, `[PAD]` is 0.
        embedding: Dimension of a word vector.
        hidden: Of the LSTM, in each direction; a word's output has twice as many.
    """

    def __init__(self, tokenizer: Tokenizer, embedding: int = 300, hidden: int = 192) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.embedding = nn.Embedding(tokenizer.get_vocab_size(), embedding, padding_idx=0)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=True)
        self.max_tokens = MAX_TOKENS

    @classmethod
    def for_captions(cls, captions: Iterable[str]) -> BiLSTMTextEncoder:
        """A fresh encoder whose vocabulary is the words of the training captions."""
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordLevelTrainer(vocab_size=VOCABULARY, special_tokens=[PAD, UNKNOWN], show_progress=False)
        tokenizer.train_from_iterator(captions, trainer)
        return cls(tokenizer)

    @property
    def dim(self) -> int:
        """D of a word embedding."""
        return 2 * self.lstm.hidden_size

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        """Word numbers, padded to the longest caption of the batch; every token is a word."""
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(list(captions))]
        cut = sum(len(row) > self.max_tokens for row in rows)
        rows = [row[: self.max_tokens] for row in rows]
        longest = max(1, *(len(row) for row in rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        words = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
        return TokenBatch(ids, words.long(), words, cut)

    def forward(self, tokens: TokenBatch) -> TextFeatures:
        """Args: tokens on the model's device. Returns: contextual embeddings of the words, [B, L, D]."""
        # Packed, so that the backward direction starts at the last word and not in the padding. An LSTM cannot read an
        # empty row: it reads one pad there, which the mask hides.
        lengths = tokens.words.sum(dim=1).clamp_min(1).cpu()
        packed = pack_padded_sequence(self.embedding(tokens.ids), lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=tokens.ids.shape[1])
        return TextFeatures(hidden, tokens.words)

    def save(self, folder: Path) -> None:
        """Writes config.json, tokenizer.json and the weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "model_type": MODEL_TYPE,
            "embedding": self.embedding.embedding_dim,
            "hidden": self.lstm.hidden_size,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=1))
        self.tokenizer.save(str(folder / "tokenizer.json"))
        state = {name: tensor.detach().cpu().half().contiguous() for name, tensor in self.state_dict().items()}
        save_file(state, folder / "model.safetensors", {"format": "pt"})

    @classmethod
    def load(cls, folder: Path) -> BiLSTMTextEncoder:
        """Loads what `save` wrote.

        Raises:
            InputError: The folder does not hold such an encoder.
        """
        try:
            config = json.loads((folder / "config.json").read_text())
            made = cls(Tokenizer.from_file(str(folder / "tokenizer.json")), config["embedding"], config["hidden"])
            made.load_state_dict({k: v.float() for k, v in read_tensors(folder / "model.safetensors").items()})
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            expected = "config.json, tokenizer.json and model.safetensors of a BiLSTM"
            raise InputError(f"text encoder {folder}", found=str(error).splitlines()[0], expected=expected) from error
        return made


def is_bilstm(folder: Path) -> bool:
    """Whether a text encoder folder is one of these."""
    try:
        return bool(json.loads((folder / "config.json").read_text()).get("model_type") == MODEL_TYPE)
    except (OSError, ValueError, AttributeError):
        return False
