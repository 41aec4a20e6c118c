"""The mirror average, by hand, and that each net rebuilt here takes it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder, DlibResNet
from tgfr_search.encoders.iresnet import ARCHITECTURES, IResNet, IResNetFaceEncoder
from tgfr_search.encoders.mapped import both_ways
from tgfr_search.encoders.sface import SFaceEncoder

CPU = torch.device("cpu")


class Left(nn.Module):
    """Its vector is the left column's mean, its map the picture times `at`."""

    def forward(self, x: Tensor, at: int = 1) -> tuple[Tensor, Tensor]:
        return x[..., 0].mean(dim=2), x * at


def test_the_average_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 6.0]]]], dtype=torch.bfloat16)
    one, two = both_ways(Left(), x, False, 3), both_ways(Left(), x, True, 3)
    assert (one.global_.tolist(), two.global_.tolist()) == ([[1.0]], [[3.5]])
    assert torch.equal(one.regions, 3 * x.float())
    assert torch.equal(two.regions, 3 * x.float())  # the mirrored map is turned back before it is averaged
    assert {part.dtype for part in (*one, *two)} == {torch.float32}
    assert two.regions.is_contiguous()


def chips(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


def added(flip: bool) -> IResNetFaceEncoder:
    torch.manual_seed(0)
    architecture = ARCHITECTURES["arcface-r18"]
    return IResNetFaceEncoder("drawn", architecture, IResNet(architecture).state_dict(), "0" * 64, flip=flip)


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda flip: DlibFaceEncoder(flip=flip, regions="256x4x4"), 150),
        (lambda flip: DlibFaceEncoder(flip=flip, regions="128x8x8"), 150),
        (lambda flip: SFaceEncoder(flip=flip, regions="512x14x14"), 112),
        (lambda flip: SFaceEncoder(flip=flip, regions="1024x7x7"), 112),
        (added, 112),
    ],
)
def test_an_encoder_averages_bit_by_bit_what_its_net_gives_both_ways(make, side) -> None:
    plain, both = make(False), make(True)
    batch = chips(side)
    there, back = plain.encode(batch), plain.encode(np.ascontiguousarray(batch[:, :, ::-1]))
    average = both.encode(batch)
    assert torch.equal(average.global_, (there.global_ + back.global_) / 2)
    assert torch.equal(average.regions, (there.regions + back.regions.flip(3)) / 2)
    assert average.regions.shape[1:] == plain.spec.regions == both.spec.regions
    assert both.spec.preprocessing == f"{plain.spec.preprocessing}+mirror"


def test_an_adapted_copys_net_goes_the_same_way() -> None:
    encoder = DlibFaceEncoder(flip=True)
    net = DlibResNet(head_bias=True)
    net.load_state_dict({**encoder.net.state_dict(), "head.bias": torch.zeros(128)})
    with torch.inference_mode():
        x = encoder.pixels(chips(150))
        for ours, theirs in zip(encoder.through(net.eval(), x), encoder.through(encoder.net, x), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)
