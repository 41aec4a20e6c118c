"""iResNets from files of exactly the official layouts: keys, shapes, arithmetic, precision, size."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from iresnet_helpers import BLOCKS, LAYOUTS, forward, forward_adaface, layout, random_state
from torch import Tensor, nn

from tgfr_search.encoders.iresnet import ARCHITECTURES, IResNet, IResNetFaceEncoder
from tgfr_search.encoders.official import canonical, canonical_shapes, convert, official_name, recognise
from tgfr_search.errors import CheckpointError

DIGESTS = json.loads((LAYOUTS / "digests.json").read_text())
FAMILY_PREFIX = {"arcface": "", "adaface": "model.", "magface": "features.module."}
MAGFACE = {f"features.module.{key}": shape for key, shape in layout("arcface-r18").items()}


@pytest.fixture(scope="module")
def arcface() -> dict[str, Tensor]:
    return random_state(layout("arcface-r18"))


@pytest.fixture(scope="module")
def adaface() -> dict[str, Tensor]:
    return random_state(layout("adaface-ir18"))


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)


def encoder(state: dict[str, Tensor], name: str, **options: object) -> IResNetFaceEncoder:
    architecture = ARCHITECTURES[name]
    return IResNetFaceEncoder("test", architecture, canonical(state, architecture, "x"), "0" * 64, **options)  # type: ignore[arg-type]


def chw(chips: np.ndarray) -> Tensor:
    return torch.from_numpy(chips.astype(np.float32)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_keys_and_shapes_are_the_official_ones(name: str) -> None:
    """Digests of the lists "key shape" that the families' own code gives, made from it once (layouts/)."""
    architecture = ARCHITECTURES[name]
    prefix = FAMILY_PREFIX[architecture.family]
    lines = sorted(
        f"{prefix}{official_name(key, architecture)} {'x'.join(map(str, shape)) or 'scalar'}"
        for key, shape in canonical_shapes(architecture).items()
    )
    if (LAYOUTS / f"{name}.txt").exists():
        assert lines == (LAYOUTS / f"{name}.txt").read_text().splitlines()
    assert len(lines) == DIGESTS[name]["keys"]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == DIGESTS[name]["sha256"]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_parameter_counts(name: str) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in IResNet(ARCHITECTURES[name]).parameters())
    assert count == DIGESTS[name]["parameters"]
    depth = name.rpartition("r")[2]
    published = {"18": 24.0, "50": 43.6, "100": 65.2, "101": 65.2}
    if depth in published:
        assert round(count / 1e6, 1) == published[depth]


def test_arcface_against_a_second_forward(arcface: dict[str, Tensor], chips: np.ndarray) -> None:
    got = encoder(arcface, "arcface-r18").encode(chips)
    vector, regions = forward(arcface, (chw(chips) / 255 - 0.5) / 0.5, BLOCKS["18"], 1e-5)
    assert got.global_.shape == (2, 512)
    assert got.regions.shape == (2, 256, 14, 14)
    assert torch.allclose(got.global_, vector, atol=1e-4, rtol=1e-4)
    assert torch.allclose(got.regions, regions, atol=1e-4, rtol=1e-4)


def test_adaface_against_a_second_forward_in_bgr(adaface: dict[str, Tensor], chips: np.ndarray) -> None:
    plain = {key.removeprefix("model."): tensor for key, tensor in adaface.items()}
    got = encoder(adaface, "adaface-ir18").encode(chips)
    x = (chw(chips) / 255 - 0.5) / 0.5
    vector, regions = forward_adaface(plain, x.flip(1), BLOCKS["18"])
    assert torch.allclose(got.global_, vector, atol=1e-4, rtol=1e-4)
    assert torch.allclose(got.regions, regions, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(got.global_, forward_adaface(plain, x, BLOCKS["18"])[0], atol=1e-2)


def test_magface_reads_bgr_from_zero_to_one_with_its_own_epsilon(arcface: dict[str, Tensor], chips: np.ndarray) -> None:
    # A tiny variance, so that an ε of 1e-5 instead of 2e-5 could not go unseen.
    state = {k: v * 1e-4 if k == "features.running_var" else v for k, v in arcface.items()}
    got = encoder({f"features.module.{k}": v for k, v in state.items()}, "magface-r18").encode(chips)
    x = chw(chips).flip(1) / 255
    vector, _ = forward(state, x, BLOCKS["18"], 2e-5)
    other, _ = forward(state, x, BLOCKS["18"], 1e-5)
    assert torch.allclose(got.global_, vector, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(got.global_, other, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["arcface-r50", "adaface-ir50"])
def test_deeper_networks_count_their_blocks(name: str, chips: np.ndarray) -> None:
    architecture = ARCHITECTURES[name]
    prefix = FAMILY_PREFIX[architecture.family]
    shapes = {official_name(key, architecture): shape for key, shape in canonical_shapes(architecture).items()}
    state = random_state(shapes, seed=1)
    got = encoder({prefix + key: tensor for key, tensor in state.items()}, name).encode(chips[:1])
    x = (chw(chips[:1]) / 255 - 0.5) / 0.5
    if architecture.family == "adaface":
        want = forward_adaface(state, x.flip(1), BLOCKS["50"])
    else:
        want = forward(state, x, BLOCKS["50"], 1e-5)
    for a, b in zip(got, want, strict=True):
        assert torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).min() > 0.99999


def test_batch_norm_is_in_eval(arcface: dict[str, Tensor], chips: np.ndarray) -> None:
    one = encoder(arcface, "arcface-r18")
    before = {key: tensor.clone() for key, tensor in one.net.state_dict().items()}
    together = one.encode(chips).global_
    alone = torch.cat([one.encode(chips[i : i + 1]).global_ for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-4)
    assert all(torch.equal(before[key], tensor) for key, tensor in one.net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in one.net.parameters())


def test_runs_channels_last(arcface: dict[str, Tensor], chips: np.ndarray) -> None:
    one = encoder(arcface, "arcface-r18")
    seen: list[bool] = []
    one.net.layer4.register_forward_hook(
        lambda module, inputs, output: seen.append(output.is_contiguous(memory_format=torch.channels_last))
    )
    assert one.net.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert one.encode(chips).regions.is_contiguous()  # handed out in the ordinary order
    assert seen == [True]


@pytest.mark.parametrize("name", ["arcface-r18", "adaface-ir18"])
def test_bfloat16_points_the_same_way(name: str, chips: np.ndarray) -> None:
    state = random_state(layout(name))
    full = encoder(state, name).encode(chips)
    reduced_encoder = encoder(state, name, dtype=torch.bfloat16)
    reduced = reduced_encoder.encode(chips)
    assert reduced.global_.dtype == torch.float32
    assert not torch.equal(full.global_, reduced.global_)
    assert torch.nn.functional.cosine_similarity(full.global_, reduced.global_).min() > 0.999
    flat = [features.regions.flatten(1) for features in (full, reduced)]
    assert torch.nn.functional.cosine_similarity(*flat).min() > 0.999
    for module in reduced_encoder.net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert module.running_mean is not None
            assert module.running_mean.dtype == torch.float32


def test_flip_averages_the_face_with_its_mirror_image(arcface: dict[str, Tensor], chips: np.ndarray) -> None:
    plain, averaged = encoder(arcface, "arcface-r18"), encoder(arcface, "arcface-r18", flip=True)
    one, other = plain.encode(chips), plain.encode(np.ascontiguousarray(chips[:, :, ::-1]))
    both = averaged.encode(chips)
    assert torch.allclose(both.global_, (one.global_ + other.global_) / 2, atol=1e-4)
    assert torch.allclose(both.regions, (one.regions + other.regions.flip(3)) / 2, atol=1e-4)
    assert averaged.spec.preprocessing == plain.spec.preprocessing + "+mirror"


def test_the_contract_tells_the_families_apart(arcface: dict[str, Tensor], adaface: dict[str, Tensor]) -> None:
    magface = {f"features.module.{key}": tensor for key, tensor in arcface.items()}
    specs = [
        encoder(arcface, "arcface-r18").spec,
        encoder(adaface, "adaface-ir18").spec,
        encoder(magface, "magface-r18").spec,
    ]
    assert [spec.preprocessing for spec in specs] == [
        "rgb;minus127.5;div127.5",
        "bgr;minus127.5;div127.5",
        "bgr;minus0;div255",
    ]
    assert {(s.input_size, s.dim, s.regions, s.alignment) for s in specs} == {
        (112, 512, (256, 14, 14), "arcface-112-dlib5")
    }


def test_refuses_chips_of_another_shape(arcface: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 150, 150, 3\)"):
        encoder(arcface, "arcface-r18").encode(np.zeros((2, 150, 150, 3), np.uint8))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_recognised_by_its_keys(name: str) -> None:
    architecture = ARCHITECTURES[name]
    prefix = FAMILY_PREFIX[architecture.family]
    assert (
        recognise(prefix + official_name(key, architecture) for key in canonical_shapes(architecture)) == architecture
    )


def test_published_files_are_read(arcface: dict[str, Tensor], adaface: dict[str, Tensor], tmp_path: Path) -> None:
    """backbone.pth; AdaFace's Lightning file with its head; MagFace from DistributedDataParallel and DataParallel."""
    head = {"head.kernel": torch.zeros(512, 7), "head.t": torch.zeros(1)}
    head |= {"head.batch_mean": torch.zeros(1), "head.batch_std": torch.ones(1)}
    distributed = {f"features.module.{k}": v for k, v in arcface.items()} | {"parallel_fc.weight": torch.zeros(512, 7)}
    parallel = {f"module.features.{k}": v for k, v in arcface.items()} | {"module.fc.weight": torch.zeros(512, 7)}
    files = {
        "backbone.pth": (arcface, "arcface-r18"),
        "adaface.ckpt": ({"epoch": 25, "state_dict": {**adaface, **head}, "lr_schedulers": []}, "adaface-ir18"),
        "magface.pth": ({"epoch": 25, "arch": "iresnet18", "state_dict": distributed, "optimizer": {}}, "magface-r18"),
        "magface_dp.pth": ({"epoch": 25, "arch": "iresnet18", "state_dict": parallel}, "magface-r18"),
    }
    for file, (content, name) in files.items():
        torch.save(content, tmp_path / file)
        architecture, state = convert(tmp_path / file)
        assert architecture.name == name
        assert torch.equal(state["fc.weight"], arcface["fc.weight"] if "ada" not in name else adaface[HEAD_WEIGHT])
        assert not any(key.endswith("num_batches_tracked") for key in state)


HEAD_WEIGHT = "model.output_layer.3.weight"


def test_old_files_without_batch_counters_are_read(arcface: dict[str, Tensor]) -> None:
    state = {key: tensor for key, tensor in arcface.items() if not key.endswith("num_batches_tracked")}
    assert canonical(state, ARCHITECTURES["arcface-r18"], "x").keys() == state.keys()


def test_every_key_and_shape_that_differs_is_listed(adaface: dict[str, Tensor]) -> None:
    state = dict(adaface)
    del state["model.body.3.res_layer.4.weight"]
    state["model.body.3.se_block.fc1.weight"] = torch.zeros(1)
    state["model.input_layer.0.weight"] = torch.zeros(64, 1, 3, 3)
    with pytest.raises(CheckpointError) as caught:
        canonical(state, ARCHITECTURES["adaface-ir18"], "weights/adaface.ckpt")
    message = str(caught.value)
    assert message.startswith("weights/adaface.ckpt")
    assert "1 missing: model.body.3.res_layer.4.weight" in message
    assert "1 unexpected: model.body.3.se_block.fc1.weight" in message
    assert "conv1.weight 64×1×3×3 (expected 64×3×3×3)" in message


def test_another_depth_is_refused(arcface: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(arcface, tmp_path / "backbone.pth")
    with pytest.raises(CheckpointError, match=r"missing: layer1\.2\.bn1\.weight.*arcface-r50"):
        convert(tmp_path / "backbone.pth", "arcface-r50")


def test_a_network_that_is_none_of_these_is_refused(tmp_path: Path) -> None:
    torch.save({"stem.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth.*stem\.weight.*--arch.*adaface-ir101"):
        convert(tmp_path / "other.pth")
