"""What reads a block of attributes off the maps of a joint encoder's members."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tgfr_search.encoders.attribute_reader import (
    BLOCK,
    FORMAT,
    GRID,
    OUTPUTS,
    SCALE,
    WIDTH,
    AttributeReader,
    averaged,
    maps_told,
)
from tgfr_search.encoders.base import encode_both
from tgfr_search.encoders.joint import JointCard, JointFaceEncoder, Member, save_joint
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.shipped import Arrays, write_shipped

MAPS = ((512, 14, 14), (256, 4, 4))
"""Of SFace and of dlib's net."""
COLUMNS = sum(channels for channels, _, _ in MAPS) * GRID**2
CARD = JointCard((Member("sface-2021", ("face",), mirrored=False), Member("dlib-resnet", ("face_dlib",))), 1, "reader")


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "mean": rng.normal(0, 0.1, COLUMNS).astype(np.float32),
        "spread": rng.uniform(10, 90, COLUMNS).astype(np.float32),
        "weights": rng.normal(0, 0.5, (COLUMNS, OUTPUTS)).astype(np.float16),
    }


@pytest.fixture
def folder(tmp_path: Path, arrays: Arrays) -> Path:
    write_shipped(tmp_path / "face/reader", arrays, {"format": FORMAT, "maps": maps_told(MAPS)})
    save_joint(tmp_path / "face", CARD)
    return tmp_path / "face"


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (2, 225, 225, 3), dtype=np.uint8)


def make(folder: Path, *, flip: bool) -> JointFaceEncoder:
    encoder = make_face_encoder(str(folder), torch.device("cpu"), torch.float32, flip=flip, regions="256x4x4")
    assert isinstance(encoder, JointFaceEncoder)
    return encoder


def test_its_outputs_are_a_linear_function_of_cell_averages(folder: Path, arrays: Arrays) -> None:
    rng = np.random.default_rng(2)
    maps = [rng.normal(size=(3, *own)).astype(np.float32) for own in MAPS]
    made = AttributeReader(folder / "reader", MAPS)([torch.from_numpy(own) for own in maps]).numpy()
    # 14 cells in 4: PyTorch's adaptive cells overlap by halves. Taken apart here for the first and the last of SFace.
    sface = averaged(torch.from_numpy(maps[0])).numpy().reshape(3, 512, GRID, GRID)
    assert sface[:, :, 0, 0] == pytest.approx(maps[0][:, :, :4, :4].mean(axis=(2, 3)), abs=1e-5)
    assert sface[:, :, 3, 3] == pytest.approx(maps[0][:, :, 10:, 10:].mean(axis=(2, 3)), abs=1e-5)
    columns = np.concatenate([sface.reshape(3, -1), maps[1].reshape(3, -1)], axis=1).astype(np.float64)
    outputs = ((columns - arrays["mean"]) / arrays["spread"]) @ arrays["weights"].astype(np.float64)
    assert made.shape == (3, WIDTH)
    assert WIDTH % 16 == 0
    assert made[:, :OUTPUTS] * SCALE == pytest.approx(outputs, abs=1e-3)
    assert (made[:, OUTPUTS] == 1).all()
    assert not made[:, OUTPUTS + 1 :].any()


def test_it_is_one_more_block_and_nothing_else_moves(folder: Path, wide: np.ndarray, tmp_path: Path) -> None:
    without = tmp_path / "without"
    save_joint(without, replace(CARD, attributes=""))
    own, other = make(folder, flip=True), make(without, flip=True)
    assert own.spec.parts == (*other.spec.parts, (BLOCK, WIDTH))
    assert own.spec.dim == other.spec.dim + WIDTH
    assert own.spec.weights_key != other.spec.weights_key
    ours, theirs = own.encode(wide), other.encode(wide)
    assert torch.equal(ours.global_[:, : other.spec.dim], theirs.global_)
    assert torch.equal(ours.regions, theirs.regions)


def test_both_orientations_apart_average_to_the_mirrored_one(folder: Path, wide: np.ndarray) -> None:
    one, mirror = encode_both(make(folder, flip=False), wide)
    averages = ((one.global_ + mirror.global_) / 2).numpy()
    assert averages == pytest.approx(make(folder, flip=True).encode(wide).global_.numpy(), abs=1e-4)
    assert not torch.allclose(one.global_[:, -WIDTH:], mirror.global_[:, -WIDTH:], atol=1e-4)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"format": "0", "maps": maps_told(MAPS)}, "0"),
        ({"format": FORMAT, "maps": maps_told(MAPS[:1])}, "14"),
    ],
)
def test_one_of_other_maps_or_another_format_is_refused(
    folder: Path, arrays: Arrays, told: dict[str, str], found: str
) -> None:
    write_shipped(folder / "reader", arrays, told)
    with pytest.raises(CheckpointError, match=found):
        make(folder, flip=False)


def test_one_of_another_shape_is_refused(folder: Path, arrays: Arrays) -> None:
    less = {name: own[1:] for name, own in arrays.items()}
    write_shipped(folder / "reader", less, {"format": FORMAT, "maps": maps_told(MAPS)})
    with pytest.raises(CheckpointError, match="12288 columns"):
        make(folder, flip=False)


def test_a_damaged_or_missing_one_is_told(folder: Path) -> None:
    path = folder / "reader/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="SHA-256"):
        make(folder, flip=False)
    path.unlink()
    with pytest.raises(MissingPartError, match="no such file"):
        make(folder, flip=False)
