"""Several encoders over one wide chip: each reads its own chip of it, and what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tgfr_search.encoders.base import encode_both
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.joint import JointCard, JointFaceEncoder, Member, save_joint
from tgfr_search.encoders.registry import default_regions, make_face_encoder
from tgfr_search.encoders.sface import SFaceEncoder
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.faces.wide import cut

CPU = torch.device("cpu")
TWO = JointCard((Member("sface-2021", ("face",)), Member("dlib-resnet", ("face_dlib",))), regions_of=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_joint(tmp_path / "face", TWO)
    return tmp_path / "face"


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (2, 225, 225, 3), dtype=np.uint8)


def make(folder: Path, regions: str = "256x4x4") -> JointFaceEncoder:
    encoder = make_face_encoder(str(folder), CPU, torch.float32, flip=True, regions=regions)
    assert isinstance(encoder, JointFaceEncoder)
    return encoder


def test_each_member_reads_its_own_chip(folder: Path, wide: np.ndarray) -> None:
    vector, regions = make(folder).encode(wide)
    sface = SFaceEncoder(flip=True).encode(cut(wide, "arcface-112-dlib5"))
    dlib = DlibFaceEncoder(flip=True).encode(cut(wide, "dlib-150"))
    assert torch.equal(vector, torch.cat([sface.global_, dlib.global_], dim=1))
    assert torch.equal(regions, dlib.regions)


def test_the_contract_names_all(folder: Path) -> None:
    spec, sface, dlib = make(folder).spec, SFaceEncoder().spec, DlibFaceEncoder().spec
    assert (spec.name, spec.frozen, spec.alignment) == ("sface-2021&dlib-resnet", "sface-2021&dlib-resnet", "wide-225")
    assert spec.parts == (("face", 128), ("face_dlib", 128))
    assert spec.sha256 == f"{sface.sha256}&{dlib.sha256}"
    assert (spec.dim, spec.regions, spec.input_size) == (256, dlib.regions, 225)
    assert default_regions(str(folder)) == "256x4x4"


def test_a_member_that_is_not_worth_two_passes_reads_the_face_once(tmp_path: Path, wide: np.ndarray) -> None:
    once = JointCard((Member("sface-2021", ("face",), mirrored=False), TWO.members[1]), 1)
    save_joint(tmp_path / "face", once)
    own, both = make(tmp_path / "face"), SFaceEncoder(flip=False)
    chips = cut(wide, "arcface-112-dlib5")
    assert torch.equal(own.encode(wide).global_[:, :128], both.encode(chips).global_)
    assert own.spec.preprocessing.count("mirror") == 1
    bare = make_face_encoder(str(tmp_path / "face"), CPU, torch.float32, flip=False, regions="256x4x4")
    # What is cached of both orientations averages to what a query has.
    one, other = encode_both(bare, wide)
    assert torch.allclose((one.global_ + other.global_) / 2, own.encode(wide).global_, atol=1e-5)
    dlib = DlibFaceEncoder(flip=False)
    found = encode_both(dlib, cut(wide, "dlib-150"))[1]
    assert torch.equal(found.global_, dlib.encode(np.ascontiguousarray(cut(wide, "dlib-150")[:, :, ::-1])).global_)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_map_that_is_read_may_be_coarse_and_of_a_member_that_is_not_mirrored(
    tmp_path: Path, wide: np.ndarray, mirrored: bool
) -> None:
    save_joint(tmp_path / "face", JointCard((Member("sface-2021", ("face",), mirrored), TWO.members[1]), 0, grid=4))
    bare = make_face_encoder(str(tmp_path / "face"), CPU, torch.float32, flip=False, regions="512x14x14")
    assert bare.spec.regions == (512, 4, 4)
    chips = cut(wide, "arcface-112-dlib5")
    fine = SFaceEncoder(flip=False).encode(chips).regions
    own = bare.encode(wide).regions
    assert torch.allclose(own[:, :, 0, 3], fine[:, :, 0:4, 10:14].mean(dim=(2, 3)), atol=1e-5)
    # Of the mirrored face the map is turned, whoever reads both turns it back; not mirrored it is the same map.
    one, other = encode_both(bare, wide)
    assert torch.equal(one.regions, own)
    assert torch.equal(other.regions.flip(3), own) is not mirrored
    average = make(tmp_path / "face", "512x14x14").encode(wide).regions
    assert torch.allclose((one.regions + other.regions.flip(3)) / 2, average, atol=1e-5)


def test_a_folder_is_named_relative_to_the_card(tmp_path: Path) -> None:
    save_joint(tmp_path / "inner", TWO)
    save_joint(tmp_path / "outer", JointCard((Member("../inner", ("face", "other")),), 0))
    with pytest.raises(CheckpointError, match="wide-225"):  # a joint encoder has no place in a wide chip
        make(tmp_path / "outer")


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (JointCard((Member("sface-2021", ("face", "more")),), 0), "2 blocks of sface-2021"),
        (JointCard((Member("sface-2021", ("face",)), Member("dlib-resnet", ("face",))), 1), "a name of its own"),
        (JointCard((Member("sface-2021", ("face",)),), 3), "regions_of"),
        (JointCard((), 0), "regions_of"),
        (JointCard((Member("sface-2021", ("face",)),), 0, grid=-1), "grid; found: -1"),
        (JointCard(TWO.members, 1, format=9), "format 9"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, card: JointCard, told: str) -> None:
    save_joint(tmp_path / "face", card)
    with pytest.raises(CheckpointError, match=told):
        make(tmp_path / "face", "256x4x4" if card.regions_of == 1 else "512x14x14")


def test_a_damaged_card_and_an_unknown_member_are_named(folder: Path) -> None:
    save_joint(folder, JointCard((Member("sface-2099", ("face",)),), 0))
    with pytest.raises(InputError, match="sface-2099"):
        make(folder)
    (folder / "joint.json").write_text(json.dumps({"members": []}))
    with pytest.raises(CheckpointError, match=r"joint\.json"):
        make(folder)


def test_other_chips_are_told(folder: Path) -> None:
    with pytest.raises(ValueError, match="225"):
        make(folder).encode(np.zeros((1, 150, 150, 3), np.uint8))
