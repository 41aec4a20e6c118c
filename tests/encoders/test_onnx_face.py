"""ONNX recognition models: input, output, batches and what is missing.

The files are written by the test (`onnx_helpers`) and run by onnxruntime where it is installed; a stand-in with its
four calls runs them through OpenCV, so that everything around the session is tested on every machine.
"""

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from onnx_helpers import write_onnx

from tgfr_search.encoders.added import add_face_encoder
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import CheckpointError, MissingPartError

Write = Callable[..., Path]


class StandIn:
    """onnxruntime.InferenceSession over cv2.dnn; the shapes come from what the test wrote."""

    shapes: tuple[list[Any], list[Any]]

    def __init__(self, path: str, providers: list[str]) -> None:
        assert providers == ["CPUExecutionProvider"]
        self.net = cv2.dnn.readNetFromONNX(path)

    def get_inputs(self) -> list[Any]:
        return [types.SimpleNamespace(name="x", shape=self.shapes[0])]

    def get_outputs(self) -> list[Any]:
        return [types.SimpleNamespace(name="y", shape=self.shapes[1])]

    def run(self, names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        batch = self.shapes[0][0]
        assert feeds["x"].dtype == np.float32
        assert not isinstance(batch, int) or len(feeds["x"]) == batch
        self.net.setInput(feeds["x"])
        return [self.net.forward()]


@pytest.fixture(params=["stand-in", "onnxruntime"])
def write(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes an ONNX file of a matrix and batch size, to be run by the stand-in or by onnxruntime."""
    monkeypatch.setenv("TGFR_MODELS", str(tmp_path / "models"))
    if request.param == "onnxruntime":
        assert importlib.util.find_spec("onnxruntime"), "onnxruntime is part of the extra `dev`"
    else:
        module = types.ModuleType("onnxruntime")
        module.InferenceSession = StandIn  # type: ignore[attr-defined]
        module.get_available_providers = lambda: ["CPUExecutionProvider"]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "onnxruntime", module)

    def write(name: str, matrix: np.ndarray, batch: int | str) -> Path:
        StandIn.shapes = ([batch, 3, 112, 112], [batch, matrix.shape[1]])
        return write_onnx(tmp_path / name, matrix, batch)

    return write


def matrix(dim: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, dim)).astype(np.float32)


def chips(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def make(name: str, flip: bool = False) -> FaceEncoder:
    dim = 128 if name == "sface" else 512
    return make_face_encoder(name, torch.device("cpu"), torch.float32, flip=flip, regions=f"{dim}x1x1")


@pytest.mark.parametrize("batch", ["N", 1])
def test_insightface_reads_rgb_around_zero(write: Write, batch: int | str) -> None:
    card = add_face_encoder("arc", write("w600k_r50.onnx", matrix(512), batch))
    assert (card.arch, card.weights) == ("onnx-arcface", "arc.onnx")
    assert "non-commercial" in card.licence
    pictures = chips(3)
    got = make("arc").encode(pictures)
    want = ((pictures.astype(np.float64) - 127.5) / 127.5).mean(axis=(1, 2)) @ matrix(512)
    assert got.global_.shape == (3, 512)
    np.testing.assert_allclose(got.global_.numpy(), want, atol=1e-4)
    assert torch.equal(got.regions, got.global_[:, :, None, None])


def test_sface_reads_raw_rgb_one_at_a_time(write: Write) -> None:
    add_face_encoder("sface", write("face_recognition_sface_2021dec.onnx", matrix(128), 1))
    pictures = chips(2)
    got = make("sface").encode(pictures)
    np.testing.assert_allclose(got.global_.numpy(), pictures.mean(axis=(1, 2)) @ matrix(128), rtol=1e-4, atol=1e-2)
    spec = make("sface").spec
    assert (spec.dim, spec.regions, spec.preprocessing) == (128, (128, 1, 1), "rgb;minus0;div1")


def test_flip_runs_the_mirror_image_too(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    add_face_encoder("arc", write("w600k_mbf.onnx", matrix(512), "N"))
    plain, averaged = make("arc"), make("arc", flip=True)
    seen: list[np.ndarray] = []
    run = averaged.session.run  # type: ignore[attr-defined]
    spy = types.SimpleNamespace(run=lambda names, feeds: (seen.append(feeds["x"]), run(names, feeds))[1])
    monkeypatch.setattr(averaged, "session", spy)
    # Channel means do not see a mirror image, so the inputs are compared and not only the result.
    assert torch.allclose(averaged.encode(chips(1)).global_, plain.encode(chips(1)).global_, atol=1e-5)
    assert len(seen) == 2
    assert np.array_equal(seen[0][..., ::-1], seen[1])
    assert averaged.spec.preprocessing == plain.spec.preprocessing + "+mirror"


def test_another_output_is_refused(write: Write, tmp_path: Path) -> None:
    file = write("w600k_r50.onnx", matrix(128), "N")
    with pytest.raises(CheckpointError, match=r"w600k_r50\.onnx.*128.*\[batch, 512\].*--arch"):
        add_face_encoder("arc", file)
    with pytest.raises(CheckpointError, match="a file name that is not an official one"):
        add_face_encoder("arc", write("model.onnx", matrix(128), "N"))
    (tmp_path / "w600k_mbf.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(CheckpointError, match=r"w600k_mbf\.onnx.*an ONNX model"):
        add_face_encoder("arc", tmp_path / "w600k_mbf.onnx")
    assert not (tmp_path / "models").exists()
    assert add_face_encoder("arc", write("model.onnx", matrix(128), "N"), arch="onnx-sface").arch == "onnx-sface"


def test_a_changed_file_is_refused(write: Write, tmp_path: Path) -> None:
    add_face_encoder("arc", write("w600k_r50.onnx", matrix(512), "N"))
    with (tmp_path / "models/arc.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(CheckpointError, match=r"arc\.onnx; found: SHA-256"):
        make("arc")


def test_without_onnxruntime_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TGFR_MODELS", str(tmp_path / "models"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    file = write_onnx(tmp_path / "w600k_r50.onnx", matrix(512), "N")
    with pytest.raises(MissingPartError, match=r"w600k_r50\.onnx: onnxruntime.*pip install 'tgfr-search\[onnx\]'"):
        add_face_encoder("arc", file)
