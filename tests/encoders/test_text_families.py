"""One suite over every family of text encoder: a tiny one with random weights, saved as its publisher saves it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tgfr_search.encoders.base import TokenBatch
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.encoders.text import TransformerTextEncoder
from tgfr_search.encoders.tiny import FAMILIES, POSITIONS, WORDS, save_text_model
from tgfr_search.errors import InputError
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import ModelOptions

CAUSAL = {"clip", "groupvit"}
TRANSFORMERS = sorted(FAMILIES)
ALL = [*TRANSFORMERS, "bilstm"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each family, as `save_pretrained` of the whole model writes it."""
    out = {}
    for name in FAMILIES:
        out[name] = tmp_path_factory.mktemp(name)
        save_text_model(out[name], name)
    torch.manual_seed(0)
    out["bilstm"] = tmp_path_factory.mktemp("bilstm")
    BiLSTMTextEncoder.for_captions([" ".join(WORDS)]).save(out["bilstm"])
    return out


@pytest.fixture(params=ALL)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def encoder(family: str, folders: dict[str, Path]) -> Any:
    return make_text_encoder(str(folders[family])).eval()


def test_shapes_and_mask(encoder: Any, family: str) -> None:
    tokens = encoder.tokenize(["a man with hat", "she", ""])
    around = 0 if family == "bilstm" else 2
    assert tokens.ids.shape == (3, 4 + around)
    assert tokens.words.sum(dim=1).tolist() == [4, 1, 0]  # neither special tokens nor padding
    assert tokens.truncated == 0
    words, mask = encoder(tokens)
    assert words.shape == (3, 4 + around, encoder.dim)
    assert words.dtype == torch.float32
    assert torch.equal(mask, tokens.words)
    assert words.isfinite().all()


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_width_and_length_come_from_the_config(name: str, folders: dict[str, Path]) -> None:
    encoder = TransformerTextEncoder.load(folders[name])
    assert encoder.dim == 32
    longest = POSITIONS - 2 if name == "roberta" else POSITIONS  # RoBERTa counts from behind its padding, which is 1
    assert encoder.max_tokens == longest
    tokens = encoder.tokenize(["man " * 300, "a man", "she " * (longest - 1), "she " * (longest - 2)])
    assert tokens.ids.shape[1] == longest
    assert tokens.truncated == 2
    assert encoder(tokens).words.isfinite().all()  # the last position is one that the network has


def test_padding_changes_nothing(encoder: Any) -> None:
    alone = encoder.tokenize(["a man"])
    length = alone.ids.shape[1]
    with torch.inference_mode():
        short = encoder(alone).words
        pad = torch.zeros(1, 9, dtype=torch.long)
        wide = TokenBatch(
            torch.cat([alone.ids, torch.full_like(pad, int(alone.ids[0, -1]))], 1),
            torch.cat([alone.attention, pad], 1),
            torch.cat([alone.words, pad.bool()], 1),
            0,
        )
        long = encoder(wide).words[:, :length]
        together = encoder(encoder.tokenize(["a man", "she smiles with a hat"])).words[:1, :length]
    where = alone.words[0]
    assert torch.allclose(short[:, where], long[:, where], atol=1e-6)
    assert torch.allclose(short[:, where], together[:, where], atol=1e-6)


def test_words_are_contextual(encoder: Any, family: str) -> None:
    """A later word changes an earlier one, but for the families whose text tower reads from left to right."""
    with torch.inference_mode():
        one, other = encoder(encoder.tokenize(["a man", "a hat"])).words
    first = int(encoder.tokenize(["a man"]).words[0].nonzero()[0])
    changed = (one[first] - other[first]).abs().max() > 1e-6
    assert bool(changed) == (family not in CAUSAL)


def test_gradients_reach_every_layer(encoder: Any, family: str) -> None:
    weights = torch.linspace(-1, 1, encoder.dim)  # a layer norm's plain sum has no gradient
    (encoder(encoder.tokenize(["a man with hat"])).words * weights).square().sum().backward()
    unused = ("pooler", "key.bias", "k_proj.bias", "crossattention", "token_type_embeddings")
    reached = 0
    for name, parameter in encoder.named_parameters():
        if any(part in name for part in unused):
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
        reached += 1
    assert reached >= (9 if family == "bilstm" else 30)


def test_frozen_and_thawed(encoder: Any) -> None:
    encoder.requires_grad_(False)
    tokens = encoder.tokenize(["a man"])
    assert not encoder(tokens).words.requires_grad
    encoder.requires_grad_(True)
    before = {name: parameter.detach().clone() for name, parameter in encoder.named_parameters()}
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(tokens).words.square().sum().backward()
    optimiser.step()
    assert any(not torch.equal(before[name], parameter) for name, parameter in encoder.named_parameters())


def test_saved_in_half_precision_and_loaded(encoder: Any, tmp_path: Path) -> None:
    encoder.save(tmp_path / "text")
    stored = load_file(tmp_path / "text/model.safetensors")
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {torch.float16}
    again: Any = make_text_encoder(str(tmp_path / "text")).eval()
    assert type(again) is type(encoder)
    assert (again.dim, again.max_tokens) == (encoder.dim, encoder.max_tokens)
    state = again.state_dict()
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(state[name], tensor.half().float() if tensor.is_floating_point() else tensor), name
    tokens = encoder.tokenize(["a man with hat"])
    assert torch.equal(again.tokenize(["a man with hat"]).ids, tokens.ids)
    cosine = torch.nn.functional.cosine_similarity(encoder(tokens).words, again(tokens).words, dim=-1)
    assert cosine.min() > 0.9999


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_only_the_text_tower_is_loaded_and_its_weights_are_the_files(name: str, folders: dict[str, Path]) -> None:
    """Every weight is one of the file's under its published prefix; none of the picture's side comes along."""
    stored = load_file(folders[name] / "model.safetensors")
    prefix = {"bert": "", "roberta": "", "blip-retrieval": "text_encoder."}.get(name, "text_model.")
    model = TransformerTextEncoder.load(folders[name]).model
    compared = 0
    for key, tensor in model.state_dict().items():
        if key.startswith("pooler.") and prefix == "text_encoder.":
            continue  # BLIP's retrieval model has none, and nothing reads it
        # GroupViT keeps the prefix inside its tower too
        assert torch.equal(stored[prefix + key.removeprefix("text_model.")], tensor), key
        compared += 1
    assert compared == sum(key.startswith(prefix) and not key.endswith("position_ids") for key in stored)


def test_flava_of_pre_training_has_a_longer_prefix(folders: dict[str, Path], tmp_path: Path) -> None:
    """facebook/flava-full is the pre-training model: `flava.text_model.…`."""
    for file in folders["flava"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stored = load_file(tmp_path / "model.safetensors")
    save_file(
        {f"flava.{key}": tensor for key, tensor in stored.items()}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    plain, longer = (TransformerTextEncoder.load(folder).model.state_dict() for folder in (folders["flava"], tmp_path))
    assert all(torch.equal(longer[key], tensor) for key, tensor in plain.items())


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_weights_that_are_not_there_are_named(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers would start from random numbers."""
    for file in folders[name].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stored = load_file(tmp_path / "model.safetensors")
    gone = next(key for key in sorted(stored) if ("layer" in key and "text" in key) or name in ("bert", "roberta"))
    del stored[gone]
    save_file(stored, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"no weights for 1 tensors: .*the weights of a "):
        TransformerTextEncoder.load(tmp_path)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_attention_that_training_asks_for(name: str, folders: dict[str, Path]) -> None:
    """On a CPU, training switches to eager attention: the words stay the same."""
    encoder = TransformerTextEncoder.load(folders[name]).eval()
    tokens = encoder.tokenize(["a man with hat", "she"])
    before = encoder(tokens).words
    encoder.model.set_attn_implementation("eager")
    where = tokens.words
    assert torch.allclose(encoder(tokens).words[where], before[where], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_says_the_same(encoder: Any, dtype: torch.dtype) -> None:
    """The same words in float16 and bfloat16 arithmetic (autocast, as training runs it), with gradients in float32."""
    tokens = encoder.tokenize(["a man with hat", "she"])
    full = encoder(tokens).words[tokens.words]
    with torch.autocast("cpu", dtype):
        words, mask = encoder(tokens)
    half = words[mask]
    assert half.isfinite().all()
    assert not torch.equal(full, half.float())  # it did compute in another precision
    assert torch.nn.functional.cosine_similarity(full, half.float(), dim=1).min() > 0.999
    half.float().square().sum().backward()
    gradients = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert len(gradients) >= 9
    assert all(gradient.dtype == torch.float32 and gradient.isfinite().all() for gradient in gradients)


def test_an_encoder_whose_weights_are_half_precision(encoder: Any) -> None:
    """Weights themselves in float16: half the memory of a frozen encoder."""
    tokens = encoder.tokenize(["a man with hat", "she"])
    full = encoder(tokens).words[tokens.words]
    half = encoder.half()(tokens).words[tokens.words]
    assert half.dtype == torch.float16
    assert torch.nn.functional.cosine_similarity(full, half.float(), dim=1).min() > 0.999


def test_captions_that_were_cut_are_reported_by_the_model(encoder: Any) -> None:
    """From the tokenizer through the model to what `embed` returns and `index` sums up."""
    model = TGFR(encoder, ModelOptions(fused_dim=32), parts=(("face", 16),), region_channels=8).eval()
    assert model.embed(None, [("a man " * 99, "a hat"), ("she " * 99,), ()]).truncated == 2
