"""Files as the publishers export them, made with `onnx` and run by onnxruntime: names, declared shapes, old versions.

insightface's w600k_r50 and w600k_mbf: input `input.1` of any batch, output declared [1, 512] whatever the batch is.
OpenCV's SFace: exported from MXNet, input `data` of one picture, its weights listed as inputs of the graph (IR 3).
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from tgfr_search.encoders.added import add_face_encoder
from tgfr_search.encoders.registry import default_regions, make_face_encoder

SIDE = 112


def weights(dim: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"conv": (4, 3, 7, 7), "mean": (4,), "var": (4,), "gain": (4,), "bias": (4,), "slope": (4, 1, 1)}
    out = {name: rng.normal(size=shape).astype(np.float32) * 0.2 for name, shape in shapes.items()}
    out["var"] = np.abs(out["var"]) + 0.5
    out["fc"] = rng.normal(size=(4 * 16 * 16, dim)).astype(np.float32) * 0.05
    return out


def official(
    path: Path, dim: int, names: tuple[str, str], batch: str | int, declared: list[int | str], ir: int
) -> Path:
    """A convolution, batch norm, PReLU, flattening and a last linear layer, as the exporters write them."""
    tensors = [numpy_helper.from_array(value, name) for name, value in weights(dim).items()]
    nodes = [
        helper.make_node("Conv", [names[0], "conv"], ["c"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("BatchNormalization", ["c", "gain", "bias", "mean", "var"], ["n"], epsilon=1e-5),
        helper.make_node("PRelu", ["n", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "fc"], [names[1]]),
    ]
    inputs = [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [batch, 3, SIDE, SIDE])]
    if ir < 4:  # then every initialiser had to be an input too
        inputs += [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, list(t.dims)) for t in tensors]
    outputs = [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, declared)]
    graph = helper.make_graph(nodes, "net", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=ir)
    onnx.save(model, str(path))
    return path


def forward(x: Tensor, dim: int) -> Tensor:
    """The same network in torch."""
    w = {name: torch.from_numpy(value) for name, value in weights(dim).items()}
    y = F.batch_norm(F.conv2d(x, w["conv"], stride=7), w["mean"], w["var"], w["gain"], w["bias"], eps=1e-5)
    y = torch.where(y > 0, y, y * w["slope"])
    return y.flatten(1) @ w["fc"]


@pytest.mark.parametrize(
    ("file", "arch", "dim", "names", "batch", "declared", "ir"),
    [
        ("w600k_r50.onnx", "onnx-arcface", 512, ("input.1", "683"), "None", [1, 512], 6),
        ("w600k_mbf.onnx", "onnx-arcface", 512, ("input.1", "516"), "None", [1, 512], 6),
        ("face_recognition_sface_2021dec.onnx", "onnx-sface", 128, ("data", "fc1"), 1, [1, 128], 3),
    ],
)
def test_official_layout(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    arch: str,
    dim: int,
    names: tuple[str, str],
    batch: str | int,
    declared: list[int | str],
    ir: int,
) -> None:
    monkeypatch.setenv("TGFR_MODELS", str(tmp_path / "models"))
    path = official(tmp_path / file, dim, names, batch, declared, ir)
    assert add_face_encoder("lab", path).arch == arch
    assert default_regions("lab") == f"{dim}x1x1"
    encoder = make_face_encoder("lab", torch.device("cpu"), torch.float32, flip=False, regions=default_regions("lab"))
    chips = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    x = torch.from_numpy(chips.astype(np.float32)).permute(0, 3, 1, 2)
    want = forward((x - 127.5) / 127.5 if arch == "onnx-arcface" else x, dim)
    got = encoder.encode(chips)
    assert got.global_.shape == (3, dim)
    torch.testing.assert_close(got.global_, want, rtol=1e-4, atol=1e-2 if dim == 128 else 1e-4)
    assert encoder.encode(chips[:0]).global_.shape == (0, dim)
