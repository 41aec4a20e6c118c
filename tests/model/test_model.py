"""The modules of FCAM and FCFM, and the model that joins them, with a small text encoder of random weights."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from tgfr_search.encoders.base import FaceFeatures, TextFeatures, TokenBatch
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.fcfm import FCFM
from tgfr_search.model.imim import IMIM
from tgfr_search.model.projection import FaceProjection, WordProjection, masked_max
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import LossOptions, ModelOptions


class WordTable(nn.Module):
    """The smallest honest text encoder: one trainable vector a word, context by a running sum."""

    dim = 24
    max_tokens = 64

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(97, self.dim)

    def tokenize(self, captions: Sequence[str]) -> TokenBatch:
        words = [[1 + sum(map(ord, word)) % 96 for word in caption.split()][: self.max_tokens] for caption in captions]
        longest = max(1, *(len(own) for own in words))
        ids = torch.tensor([own + [0] * (longest - len(own)) for own in words])
        return TokenBatch(ids, (ids > 0).long(), ids > 0, 0)

    def forward(self, tokens: TokenBatch) -> TextFeatures:
        return TextFeatures(self.table(tokens.ids), tokens.words)


def faces(count: int, seed: int = 0) -> FaceFeatures:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn
    return FaceFeatures(draw(count, 16, generator=generator), draw(count, 12, 4, 4, generator=generator))


@pytest.fixture
def model() -> TGFR:
    torch.manual_seed(0)
    made = TGFR(WordTable(), ModelOptions(dropout=0.0), parts=(("face", 16),), region_channels=12)
    # Non-zero centres, as after training, so that a forgotten one shows.
    for name in ("shared_face", "caption", "fused"):
        getattr(made, f"centre_{name}").copy_(0.05 * torch.randn(256))
    return made.eval()


def test_masked_max_of_nothing_is_zero() -> None:
    values = torch.tensor([[[-1.0], [-5.0]], [[3.0], [4.0]]])
    mask = torch.tensor([[True, False], [False, False]])
    assert masked_max(values, mask).tolist() == [[-1.0], [0.0]]


def test_word_projection_keeps_words_in_place_and_normalises() -> None:
    net = WordProjection(8)
    words, mask = torch.randn(2, 7, 8), torch.arange(7) < torch.tensor([[7], [3]])
    out, caption = net(words, mask)
    assert out.shape == (2, 7, 256)
    assert torch.allclose(out.norm(dim=-1), mask.float(), atol=1e-5)
    assert torch.allclose(caption.norm(dim=-1), torch.ones(2), atol=1e-5)
    # The widest kernel (5) reaches two words back and two ahead: word 6 cannot change word 3 or earlier.
    changed = words.clone()
    changed[0, 6] += 1
    moved = (net(changed, mask)[0][0] - out[0]).abs().sum(dim=-1) > 1e-6
    assert moved.tolist() == [False] * 4 + [True] * 3


def test_word_projection_reads_nothing_from_padding() -> None:
    net = WordProjection(8).eval()
    words, mask = torch.randn(2, 7, 8), torch.arange(7) < torch.tensor([[7], [3]])
    junk = torch.where(mask[..., None], words, torch.full_like(words, 1e4))
    for a, b in zip(net(words, mask), net(junk, mask), strict=True):
        assert torch.equal(a, b)
    short, short_mask = words[1:, :3], mask[1:, :3]
    assert torch.allclose(net(short, short_mask)[0], net(words, mask)[0][1:, :3], atol=1e-6)
    assert torch.allclose(net(short, short_mask)[1], net(words, mask)[1][1:], atol=1e-6)


def test_face_projection_linear_and_adapter() -> None:
    x = torch.randn(3, 16)
    linear = FaceProjection(16)
    assert torch.allclose(linear(x), linear(7 * x), atol=1e-6)
    assert torch.allclose(linear(x).norm(dim=1), torch.ones(3), atol=1e-6)
    assert sum(p.numel() for p in FaceProjection(16, hidden=32).parameters()) == (
        16 * 256 + 256 + 16 * 32 + 32 + 32 * 256 + 256
    )


def test_face_projection_hears_every_encoder_whatever_its_length() -> None:
    net = FaceProjection(16, hidden=32, parts=(12, 4)).eval()
    one, other = torch.randn(3, 12), torch.randn(3, 4)
    whole = net(torch.cat([one, other], dim=1))
    assert torch.allclose(net(torch.cat([10 * one, other], dim=1)), whole, atol=1e-6)
    assert not torch.allclose(net(torch.cat([one, -other], dim=1)), whole, atol=1e-2)
    options = ModelOptions(face_hidden=32, unit_parts=True)
    model = TGFR(WordTable(), options, parts=(("face", 12), ("adapted", 4)), region_channels=8)
    assert model.fcam.face_projection.parts == [12, 4]


def test_imim_without_residual_on_equal_regions_attends_evenly() -> None:
    net = IMIM(4, residual=False).eval()
    x = torch.randn(1, 4, 1, 1).expand(1, 4, 3, 3)
    out = net(x)
    assert out.shape == (1, 9, 256)
    # Equal regions: attention is a mean of equal values, so every region equals value → out of the one region.
    value = net.out(net.value(net.norm(x)))[0, :, 0, 0]
    assert torch.allclose(out[0], value.expand(9, -1), atol=1e-5)


def test_fcfm_of_a_caption_without_words_is_absent() -> None:
    shared = SharedFeatures(
        torch.randn(2, 256),
        torch.randn(2, 256),
        torch.randn(2, 4, 256),
        torch.randn(2, 3, 256),
        torch.tensor([[True, True, False], [False, False, False]]),
    )
    fused = FCFM(dropout=0.0).eval()(shared)
    assert fused[0].norm().item() == pytest.approx(1.0, abs=1e-5)
    assert fused[1].abs().max() == 0


def test_fcfm_ignores_padding() -> None:
    torch.manual_seed(0)
    net = FCFM(dropout=0.0).eval()
    shared = SharedFeatures(
        torch.randn(1, 256),
        torch.randn(1, 256),
        torch.randn(1, 4, 256),
        torch.randn(1, 3, 256),
        torch.ones(1, 3).bool(),
    )
    padded = shared._replace(
        words=torch.cat([shared.words, torch.full((1, 5, 256), 50.0)], dim=1),
        mask=torch.arange(8)[None] < 3,
    )
    assert torch.allclose(net(shared), net(padded), atol=1e-6)


def test_blocks_are_unit_or_absent(model: TGFR) -> None:
    out = model.embed(faces(3), [("a man", "with a hat"), (), ("  ", "")])
    present = {name: out.templates.present(name).tolist() for name in out.templates.blocks}
    assert present == {
        "face": [True] * 3,
        "shared_face": [True] * 3,
        "caption": [True, False, False],
        "fused": [True, False, False],
    }
    assert ((out.quality > 0) & (out.quality < 1)).all()


def test_caption_alone_has_no_face_blocks(model: TGFR) -> None:
    out = model.embed(None, [("a man with a hat",)])
    assert [name for name in out.templates.blocks if out.templates.present(name).any()] == ["caption"]
    assert np.isnan(out.quality).all()


def test_embedding_does_not_depend_on_the_batch(model: TGFR) -> None:
    lines = [("a man with a hat",), (), ("she smiles",), ("one", "two three four five six seven eight")]
    features = faces(4)
    whole = model.embed(features, lines).templates
    for i in range(4):
        alone = model.embed(FaceFeatures(*(part[i : i + 1] for part in features)), lines[i : i + 1]).templates
        for name, block in alone.blocks.items():
            assert np.allclose(block[0], whole.blocks[name][i], atol=1e-5), name


def test_lines_are_a_set(model: TGFR) -> None:
    a = model.embed(faces(1), [("a man", "with a hat", "he smiles")]).templates
    b = model.embed(faces(1), [("he smiles", "a man", "with a hat")]).templates
    for name in a.blocks:
        assert np.allclose(a.blocks[name], b.blocks[name], atol=1e-5)


def test_gradients_reach_the_text_encoder_and_both_heads(model: TGFR) -> None:
    model.train()
    loss = FCAMLoss(3, LossOptions())
    shared = model.fcam(faces(6), model.tokenize(["a b c", "d e", "f", "g h", "i j k l", "m n"]))
    loss(shared, torch.tensor([0, 1, 2, 0, 1, 2]))["total"].backward()
    for name, parameter in model.fcam.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith("key.bias"):  # softmax does not see a constant added to all keys
            assert parameter.grad.abs().sum() > 0, name


def test_gradients_reach_every_part_of_the_fusion(model: TGFR) -> None:
    model.fusion.train()
    shared = model.fcam(faces(3), model.tokenize(["a b c", "d e", "f"]))
    model.fusion(shared)[:, 0].sum().backward()
    for name, parameter in model.fusion.named_parameters():
        assert parameter.grad is not None, name


def test_the_models_arithmetic_type_can_be_reduced(model: TGFR) -> None:
    full = model.embed(faces(2), [("a man",), ("with a hat",)]).templates
    model.fcam.text_dtype = torch.bfloat16
    reduced = model.embed(faces(2), [("a man",), ("with a hat",)]).templates
    for name in full.blocks:
        assert (full.blocks[name] * reduced.blocks[name]).sum(axis=1).min() > 0.999
