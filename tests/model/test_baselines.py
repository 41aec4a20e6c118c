"""The fusions and text encoders of the baselines, through the same model class as TGFR."""

import pytest
import torch
from torch import nn

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder, is_bilstm
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.errors import InputError, OptionsError
from tgfr_search.losses.cross_modal import CMPC, damsm
from tgfr_search.losses.info_nce import symmetric_info_nce
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.losses.word_region import word_region_loss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.model.fusion import make_fusion
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import LossOptions, ModelOptions

LINES = ["a man with a hat", "she smiles", "a young woman"]


def shared(pairs: int) -> SharedFeatures:
    torch.manual_seed(1)
    unit = nn.functional.normalize
    mask = torch.ones(pairs, 3, dtype=torch.bool)
    mask[-1] = False
    return SharedFeatures(
        unit(torch.randn(pairs, 256), dim=1),
        unit(torch.randn(pairs, 256), dim=1) * mask.any(dim=1, keepdim=True),
        torch.randn(pairs, 4, 256),
        unit(torch.randn(pairs, 3, 256), dim=-1) * mask[..., None],
        mask,
    )


@pytest.mark.parametrize("fusion", ["fcfm", "flf", "cgfr"])
def test_every_fusion_gives_unit_vectors_or_nothing(fusion: str) -> None:
    net = make_fusion(ModelOptions(fusion=fusion, fused_dim=64)).eval()
    out = net(shared(4))
    assert out.shape == (4, 64)
    assert torch.allclose(out.norm(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]), atol=1e-5)


def test_an_unknown_fusion_is_refused() -> None:
    with pytest.raises(OptionsError, match="fcfm, flf or cgfr"):
        make_fusion(ModelOptions(fusion="sum"))


def test_flf_is_one_linear_layer_of_both_vectors() -> None:
    net = make_fusion(ModelOptions(fusion="flf", fused_dim=8))
    pair = shared(3)
    by_hand = torch.cat([pair.face, pair.caption], dim=1) @ net.out.weight.T + net.out.bias  # type: ignore[union-attr,operator]
    assert torch.allclose(net(pair)[:2], nn.functional.normalize(by_hand, dim=1)[:2], atol=1e-6)


def test_bilstm_reads_words_and_not_padding(tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    encoder = BiLSTMTextEncoder.for_captions(LINES).eval()
    both = encoder.tokenize([LINES[0], LINES[1], ""])
    assert both.words.sum(dim=1).tolist() == [5, 2, 0]
    alone = encoder.tokenize([LINES[1]])
    assert torch.allclose(encoder(both).words[1, :2], encoder(alone).words[0], atol=1e-6)
    long = encoder.tokenize(["man " * 200, "unheard words"])
    assert long.truncated == 1
    assert long.ids.shape == (2, 64)
    encoder.save(tmp_path / "text")
    assert is_bilstm(tmp_path / "text")
    again = make_text_encoder(str(tmp_path / "text")).eval()
    assert torch.allclose(again(alone).words, encoder(alone).words, atol=1e-2)
    with pytest.raises(InputError, match="training captions"):
        make_text_encoder("bilstm")


def test_refinement_is_trained_and_ignores_padding() -> None:
    torch.manual_seed(0)
    options = ModelOptions(text_refinement=True, fusion="cgfr", dropout=0.0)
    model = TGFR(BiLSTMTextEncoder.for_captions(LINES), options, parts=(("face", 16),), region_channels=12).eval()
    together = model.fcam.caption(model.tokenize(LINES))[0]
    alone = torch.cat([model.fcam.caption(model.tokenize([line]))[0] for line in LINES])
    assert torch.allclose(together, alone, atol=1e-5)
    faces = FaceFeatures(torch.randn(3, 16), torch.randn(3, 12, 2, 2))
    model.fusion(model.fcam(faces, model.tokenize(LINES)))[:, 0].sum().backward()
    assert model.fcam.refinement is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.fcam.refinement.parameters() if p.ndim > 1)
    assert model.raw_blocks(faces, [("a man",), (), ("",)])[0]["fused"][1:].abs().max() == 0


def test_cmpc_by_hand() -> None:
    loss = CMPC(2, 2, scale=1.0)
    loss.weight.data = torch.eye(2)
    x = torch.tensor([[1.0, 0.0]])
    # Equal vectors: the projection is the vector itself; two classes with logits 1 and 0, once in either direction.
    assert loss(x, x, torch.tensor([0])).item() == pytest.approx(2 * torch.log1p(torch.tensor(-1.0).exp()).item())
    # Orthogonal vectors project to nothing: both classes equally likely.
    z = torch.tensor([[0.0, 1.0]])
    assert loss(x, z, torch.tensor([0])).item() == pytest.approx(2 * torch.log(torch.tensor(2.0)).item())


def test_damsm_is_words_plus_sentence() -> None:
    pair = shared(4)._replace(mask=torch.ones(4, 3, dtype=torch.bool))
    subjects = torch.arange(4)
    words = word_region_loss(pair.regions, pair.words, pair.mask, subjects, tau_region=0.2, tau_word=0.2, tau_match=0.1)
    sentence = symmetric_info_nce(pair.face, pair.caption, subjects, 0.1)
    got = damsm(pair.face, pair.caption, pair.regions, pair.words, pair.mask, subjects)
    assert got.item() == pytest.approx((words + sentence).item(), rel=1e-6)
    parts = FCAMLoss(4, LossOptions(wrcl=0, cicl=0, imcl=0, cmpc=1, damsm=1))(pair, subjects)
    assert set(parts) == {"total", "identity", "cmpc", "damsm"}
