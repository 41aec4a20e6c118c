"""SFace in torch against onnxruntime on the same numbers, its place among the encoders, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tgfr_search.encoders import sface
from tgfr_search.encoders.catalogue import catalogue
from tgfr_search.encoders.registry import default_regions, make_face_encoder
from tgfr_search.encoders.sface import BLOCKS, REGION_MAPS, SFaceEncoder, fold
from tgfr_search.errors import CheckpointError, InputError, MissingPartError
from tgfr_search.shipped import WEIGHTS, read_shipped, write_shipped

CPU = torch.device("cpu")
GOLDEN = (0.306959, 0.474456, 0.131119, 0.040291, 0.04257, 0.202953, -0.402551, -0.284807)
"""The first numbers of onnxruntime's vector of `picture()`, from the published file, dequantised."""


def picture() -> np.ndarray:
    """Smooth, different in every channel and corner: uint8 [1, 112, 112, 3]."""
    y, x = np.mgrid[:112, :112] / 111.0
    waves = [np.sin(7 * x + 3 * y), np.cos(5 * x * y + 2 * y), np.sin(11 * (x - 0.4) ** 2 + y)]
    return np.rint(127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)[None]


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([picture(), rng.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)])


def published(arrays: dict[str, np.ndarray], path: Path) -> onnxruntime.InferenceSession:
    """The published graph over the shipped numbers, written down here a second time: nothing folded."""
    tensors: dict[str, np.ndarray] = {"minus": np.float32([127.5]), "times": np.float32([1 / 128])}
    nodes = [helper.make_node("Sub", ["data", "minus"], ["s"]), helper.make_node("Mul", ["s", "times"], ["x"])]
    for name, array in arrays.items():
        if not name.endswith("_quantized"):
            continue
        stem = name.removesuffix("_quantized")
        scale, zero = arrays[f"{stem}_scales"], arrays[f"{stem}_zero_point"].astype(np.float32)
        block = next(b for b in (64, 32, 27, 9) if -(-array.shape[-1] // b) == scale.shape[-1])
        rows = np.repeat(np.stack([scale, zero]), block, axis=-1)[..., : array.shape[-1]]
        tensors[stem] = ((array.astype(np.float32) - rows[1]) * rows[0]).reshape(arrays[f"{stem}_shape"])

    def norm(name: str, x: str, eps: float) -> str:
        parts = [f"{name}_{part}" for part in ("gamma", "beta", "moving_mean", "moving_var")]
        tensors.update({part: arrays[part] for part in parts})
        nodes.append(helper.make_node("BatchNormalization", [x, *parts], [name], epsilon=eps))
        return name

    def unit(name: str, x: str, **how: object) -> str:
        nodes.append(helper.make_node("Conv", [x, f"{name}_conv2d_weight"], [f"{name}_conv"], **how))
        y = norm(f"{name}_batchnorm", f"{name}_conv", 1e-3)
        tensors[f"{name}_slope"] = arrays[f"{name}_relu_gamma"]
        nodes.append(helper.make_node("PRelu", [y, f"{name}_slope"], [name]))
        return name

    x, channels = unit("conv_1", "x", pads=[1, 1, 1, 1]), 32
    for index, (outputs, stride) in enumerate(BLOCKS, start=2):
        x = unit(f"conv_{index}_dw", x, pads=[1, 1, 1, 1], strides=[stride, stride], group=channels)
        x, channels = unit(f"conv_{index}", x), outputs
    nodes.append(helper.make_node("Flatten", [norm("bn1", x, 2e-5)], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "pre_fc1_weight", "pre_fc1_bias"], ["fc"], transB=1))
    out = norm("fc1", "fc", 2e-5)
    graph = helper.make_graph(
        nodes, "sface",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, 112, 112])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [None, 128])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in tensors.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_equals_onnxruntime(chips: np.ndarray, tmp_path: Path) -> None:
    arrays, _ = read_shipped("sface")
    session = published(arrays, tmp_path / "sface.onnx")
    expected = session.run(None, {"data": chips.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    got = SFaceEncoder().encode(chips).global_.numpy()
    assert np.abs(got - expected).max() <= 1e-5
    assert np.abs(expected).max() > 1


def test_equals_the_published_file() -> None:
    """What onnxruntime gave for the published file itself, once."""
    got = SFaceEncoder().encode(picture()).global_.numpy()[0]
    assert np.abs(got[: len(GOLDEN)] - GOLDEN).max() <= 1e-5


def test_bfloat16_points_the_same_way(chips: np.ndarray) -> None:
    full, reduced = (SFaceEncoder(dtype=dtype).encode(chips).global_ for dtype in (torch.float32, torch.bfloat16))
    assert torch.nn.functional.cosine_similarity(full, reduced).min() > 0.998


def test_flip_averages_the_face_with_its_mirror_image(chips: np.ndarray) -> None:
    plain, averaged = SFaceEncoder(), SFaceEncoder(flip=True)
    once, mirrored = plain.encode(chips), plain.encode(np.ascontiguousarray(chips[:, :, ::-1]))
    both = averaged.encode(chips)
    assert torch.allclose(both.global_, (once.global_ + mirrored.global_) / 2, atol=1e-5)
    assert torch.allclose(both.regions, (once.regions + mirrored.regions.flip(3)) / 2, atol=1e-4)
    assert averaged.spec != plain.spec


@pytest.mark.parametrize("regions", REGION_MAPS)
def test_by_name_with_either_map(chips: np.ndarray, regions: str) -> None:
    encoder = make_face_encoder("sface-2021", CPU, torch.float32, flip=False, regions=regions)
    shape = tuple(int(n) for n in regions.split("x"))
    assert encoder.spec.regions == shape
    assert encoder.encode(chips[:1]).regions.shape == (1, *shape)
    assert encoder.spec.parts == (("face", 128),)


def test_it_is_known_and_its_name_is_taken() -> None:
    assert default_regions("sface-2021") == "512x14x14"
    (entry,) = [entry for entry in catalogue() if entry.name == "sface-2021"]
    assert (entry.kind, entry.installed) == ("face", True)
    with pytest.raises(InputError, match="512x14x14"):
        make_face_encoder("sface-2021", CPU, torch.float32, flip=False, regions="256x14x14")


@pytest.mark.parametrize("chips", [np.zeros((1, 150, 150, 3), np.uint8), np.zeros((1, 112, 112, 3), np.float32)])
def test_other_chips_are_refused(chips: np.ndarray) -> None:
    with pytest.raises(ValueError, match="112"):
        SFaceEncoder().encode(chips)


def test_one_flipped_bit_is_refused(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / "sface/model.safetensors", tmp_path)
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*SHA-256"):
        read_shipped("sface", tmp_path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_shipped("sface", tmp_path)
    path.unlink()
    with pytest.raises(MissingPartError, match="no such file"):
        read_shipped("sface", tmp_path)


def test_another_networks_arrays_are_refused(tmp_path: Path) -> None:
    write_shipped(tmp_path, {"weight": np.zeros((2, 2), np.float32)}, {})
    arrays, _ = read_shipped("sface", tmp_path)
    with pytest.raises(CheckpointError, match="SFace"):
        fold(arrays)


def test_weights_are_read_once() -> None:
    assert sface.load_weights() is sface.load_weights()


def test_the_adapted_copy_comes_with_the_package(chips: np.ndarray) -> None:
    name = "sface-2021+adapted"
    encoder = make_face_encoder(name, CPU, torch.float32, flip=False, regions=default_regions(name))
    frozen, adapted = encoder.encode(chips[:1]).global_.split(128, dim=1)
    assert encoder.spec.name == name
    assert torch.allclose(frozen, SFaceEncoder().encode(chips[:1]).global_)
    assert (frozen - adapted).abs().max() > 0.1
    assert name in {entry.name for entry in catalogue()}
