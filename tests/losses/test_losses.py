"""Each loss against values worked out by hand."""

import math

import pytest
import torch
from torch import nn

from tgfr_search.losses.identity import ArcFace
from tgfr_search.losses.info_nce import Temperature, contrastive, info_nce, symmetric_info_nce
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.losses.word_region import match_scores, word_region_loss
from tgfr_search.model.fcam import SharedFeatures
from tgfr_search.options import LossOptions

DISTINCT = torch.arange(4)


def test_equal_logits_cost_log_b() -> None:
    assert contrastive(torch.zeros(4, 4), DISTINCT).item() == pytest.approx(math.log(4))


def test_info_nce_of_two_orthogonal_pairs() -> None:
    a = torch.eye(2)
    # Positive cosine 1, negative 0, τ = 0.5: −log(e²/(e² + 1)).
    expected = math.log(1 + math.exp(-2))
    assert info_nce(a, 3 * a, torch.arange(2), 0.5).item() == pytest.approx(expected)
    assert symmetric_info_nce(a, a, torch.arange(2), 0.5).item() == pytest.approx(2 * expected)


def test_same_subject_is_never_a_negative() -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0], [9.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    # Slots 0 and 1 are one subject: only columns {0, 2} compete in row 0, {1, 2} in row 1, all in row 2.
    subjects = torch.tensor([7, 7, 3])
    expected = (2 * math.log(1 + math.e) + math.log(3)) / 3
    assert contrastive(logits, subjects).item() == pytest.approx(expected)
    assert contrastive(logits, torch.arange(3)).item() > contrastive(logits, subjects).item() + 4


def test_masked_negatives_get_no_gradient() -> None:
    logits = torch.zeros(3, 3, requires_grad=True)
    contrastive(logits, torch.tensor([7, 7, 3])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert logits.grad[0, 2] > 0


def test_temperature_is_learnable_and_bounded() -> None:
    tau = Temperature(0.1)
    assert tau().item() == pytest.approx(0.1)
    tau().backward()
    assert tau.log.grad is not None
    assert tau.log.grad.item() == pytest.approx(0.1)
    with torch.no_grad():
        tau.log.fill_(-20)
    assert tau().item() == pytest.approx(0.01)


def test_match_score_of_one_word_and_one_region() -> None:
    # One region: attention is 1, the score is the cosine, whatever the temperatures.
    region = torch.tensor([[[2.0, 0.0]]])
    word = torch.tensor([[[0.6, 0.8]]])
    score = match_scores(region, word, torch.ones(1, 1, dtype=torch.bool))
    assert score.item() == pytest.approx(0.6)


def test_match_score_worked_by_hand() -> None:
    # Two words, two regions, D = 2; S = WᵀR = [[1, 0], [0, 1]] for unit axes.
    regions = torch.eye(2)[None]
    words = torch.eye(2)[None]
    tau1, tau2 = 0.25, 0.2
    # Eq. 3: over words, each column: e/(e+1) and 1/(e+1).
    high, low = math.e / (math.e + 1), 1 / (math.e + 1)
    # Eq. 4: over regions at τ1.
    a = math.exp(high / tau1) / (math.exp(high / tau1) + math.exp(low / tau1))
    cosine = a / math.sqrt(a * a + (1 - a) * (1 - a))
    expected = tau2 * math.log(2 * math.exp(cosine / tau2))
    got = match_scores(regions, words, torch.ones(1, 2, dtype=torch.bool), tau_region=tau1, tau_word=tau2)
    assert got.item() == pytest.approx(expected)


def test_match_scores_equal_the_attended_regions_made_openly() -> None:
    torch.manual_seed(0)
    regions, words = torch.randn(3, 5, 8), nn.functional.normalize(torch.randn(4, 6, 8), dim=-1)
    mask = torch.arange(6) < torch.tensor([[6], [2], [1], [4]])
    got = match_scores(regions, words, mask)
    for f in range(3):
        for c in range(4):
            w = words[c, mask[c]]
            s = w @ regions[f].T
            alpha = (s.softmax(dim=0) / 0.25).softmax(dim=1)
            attended = alpha @ regions[f]
            cosine = nn.functional.cosine_similarity(attended, w, dim=1)
            assert got[f, c].item() == pytest.approx(0.2 * (cosine / 0.2).logsumexp(0).item(), abs=1e-5)


def test_word_region_loss_ignores_padding_exactly() -> None:
    torch.manual_seed(0)
    regions, words = torch.randn(4, 5, 8), nn.functional.normalize(torch.randn(4, 6, 8), dim=-1)
    mask = torch.arange(6) < torch.tensor([[6], [3], [1], [4]])
    junk = torch.where(mask[..., None], words, torch.full_like(words, 1e3))
    assert word_region_loss(regions, words, mask, DISTINCT) == word_region_loss(regions, junk, mask, DISTINCT)
    longer, wider = nn.functional.pad(words, (0, 0, 0, 3)), nn.functional.pad(mask, (0, 3))
    assert word_region_loss(regions, longer, wider, DISTINCT).item() == pytest.approx(
        word_region_loss(regions, words, mask, DISTINCT).item(), abs=1e-6
    )


def test_captions_without_words_give_finite_loss_and_gradient() -> None:
    regions = torch.randn(2, 3, 4, requires_grad=True)
    mask = torch.tensor([[True, True], [False, False]])
    loss = word_region_loss(regions, torch.randn(2, 2, 4), mask, torch.arange(2))
    loss.backward()
    assert loss.isfinite()
    assert regions.grad is not None
    assert regions.grad.isfinite().all()


def test_arcface_without_margin_is_scaled_softmax() -> None:
    loss = ArcFace(2, 2, scale=2.0, margin=0.0)
    loss.weight.data = torch.eye(2)
    assert loss(torch.tensor([[5.0, 0.0]]), torch.tensor([0])).item() == pytest.approx(
        math.log(1 + math.exp(-2)), abs=1e-5
    )


def test_arcface_margin_turns_the_true_angle() -> None:
    loss = ArcFace(2, 2, scale=2.0, margin=0.5)
    loss.weight.data = torch.eye(2)
    angle = math.pi / 4
    x = torch.tensor([[math.cos(angle), math.sin(angle)]])
    true, other = 2 * math.cos(angle + 0.5), 2 * math.sin(angle)
    assert loss(x, torch.tensor([0])).item() == pytest.approx(math.log(1 + math.exp(other - true)), abs=1e-5)


def test_arcface_stays_monotone_past_its_margin() -> None:
    """From the true class to its opposite, past π − m too; the other class is upright on the plane of the angles."""
    loss = ArcFace(3, 2, scale=1.0, margin=0.5).double()
    loss.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    angles = torch.linspace(0, math.pi, 100, dtype=torch.float64)
    x = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], dim=1)
    losses = torch.stack([loss(each[None], torch.tensor([0])) for each in x])
    assert (losses.diff() > 0).all()
    # By hand: before the margin's end log(1 + e^(0 − cos(θ + m))), after it log(1 + e^(m·sin m − cos θ)).
    for at, true in ((10, math.cos(angles[10] + 0.5)), (95, math.cos(angles[95]) - 0.5 * math.sin(0.5))):
        assert losses[at].item() == pytest.approx(math.log(1 + math.exp(-true)), abs=1e-9)


def shared(pairs: int) -> SharedFeatures:
    torch.manual_seed(1)
    unit = nn.functional.normalize
    return SharedFeatures(
        unit(torch.randn(pairs, 256), dim=1),
        unit(torch.randn(pairs, 256), dim=1),
        torch.randn(pairs, 4, 256),
        unit(torch.randn(pairs, 3, 256), dim=-1),
        torch.ones(pairs, 3, dtype=torch.bool),
    )


def test_total_is_the_weighted_sum_of_eq_8() -> None:
    options = LossOptions()
    loss = FCAMLoss(5, options)
    parts = loss(shared(6), torch.tensor([0, 1, 2, 0, 1, 2]))
    expected = parts["wrcl"] + 100 * parts["identity"] + 2 * parts["cicl"] + 1 * parts["imcl"]
    assert parts["total"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["wrcl", "cicl", "imcl"])
def test_a_weight_of_zero_leaves_a_loss_out(name: str) -> None:
    loss = FCAMLoss(5, LossOptions(**{name: 0.0}))
    assert name not in loss(shared(6), torch.tensor([0, 1, 2, 0, 1, 2]))


def test_imcl_pulls_the_two_views_of_a_subject_together() -> None:
    loss = FCAMLoss(3, LossOptions())
    apart = shared(6)
    together = apart._replace(face=apart.face[:3].repeat(2, 1), caption=apart.caption[:3].repeat(2, 1))
    subjects = torch.tensor([0, 1, 2, 0, 1, 2])
    assert loss(together, subjects)["imcl"] < loss(apart, subjects)["imcl"]
