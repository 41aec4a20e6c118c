"""The face encoder in two halves: the frozen one as it was, the adapted one beside it, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tgfr_search.encoders import adapted, sface
from tgfr_search.encoders.adapted import AdaptedFaceEncoder, is_adapted, save_adapted
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder, DlibResNet, load_weights
from tgfr_search.encoders.registry import default_regions, make_face_encoder
from tgfr_search.errors import CheckpointError, InputError

SHIFT = 0.25
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapted half that differs from the frozen one by a known shift."""
    state, digest = load_weights()
    net = DlibResNet(head_bias=True)
    net.load_state_dict({**state, "head.bias": torch.full((128,), SHIFT)})
    save_adapted(tmp_path / "face", net, digest, {"epoch": 1})
    return tmp_path / "face"


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, 150, 150, 3), dtype=np.uint8)


@pytest.mark.parametrize("flip", [False, True])
def test_both_halves_stand_side_by_side(folder: Path, chips: np.ndarray, flip: bool) -> None:
    encoder = make_face_encoder(str(folder), CPU, torch.float32, flip=flip, regions="256x4x4")
    frozen = DlibFaceEncoder(flip=flip).encode(chips)
    vector, regions = encoder.encode(chips)
    assert vector.shape == (3, 256)
    assert torch.equal(vector[:, :128], frozen.global_)
    # Weights are kept in float16: a thousandth of the vectors' size is what that may cost.
    assert torch.allclose(vector[:, 128:], frozen.global_ + SHIFT, atol=5e-3)
    assert torch.allclose(regions, frozen.regions, atol=5e-2)


def test_the_contract_names_both(folder: Path) -> None:
    encoder, frozen = (
        AdaptedFaceEncoder(folder, CPU, torch.float32, flip=True, regions="256x4x4").spec,
        DlibFaceEncoder(),
    )
    assert (encoder.name, encoder.frozen) == ("dlib-resnet+adapted", "dlib-resnet")
    assert encoder.parts == (("face", 128), ("adapted", 128))
    assert encoder.dim == 256
    assert encoder.sha256.startswith(frozen.spec.sha256)
    assert encoder.sha256 != frozen.spec.sha256
    assert frozen.spec.parts == (("face", 128),)


def test_a_damaged_tensor_is_found(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"face\.json"):
        AdaptedFaceEncoder(folder, CPU, torch.float32, flip=False, regions="256x4x4")


@pytest.mark.parametrize("field", ["format", "base", "base_sha256"])
def test_another_origin_is_refused(folder: Path, field: str) -> None:
    card = json.loads((folder / "face.json").read_text())
    (folder / "face.json").write_text(json.dumps({**card, field: "other"}))
    with pytest.raises(CheckpointError, match="other"):
        AdaptedFaceEncoder(folder, CPU, torch.float32, flip=False, regions="256x4x4")


def other_half() -> DlibResNet:
    state, _ = load_weights()
    net = DlibResNet(head_bias=True)
    net.load_state_dict({**state, "head.bias": torch.full((128,), 2 * SHIFT)})
    return net


def test_a_write_that_fails_leaves_the_old_pair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(state: object, path: Path, *rest: object) -> None:
        path.write_bytes(b"half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adapted, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_adapted(folder, other_half(), load_weights()[1], {"epoch": 2})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["model.safetensors", "face.json"])
def test_a_kill_between_both_files_never_leaves_a_mixed_pair(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Stopped right after one of both files took its place: what is there loads, or is no adapted half at all."""

    class KilledError(BaseException):
        pass

    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        out = replace(self, target)
        if target.name == name:
            raise KilledError
        return out

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KilledError):
        save_adapted(folder, other_half(), load_weights()[1], {"epoch": 2})
    monkeypatch.undo()
    assert is_adapted(folder) == (name == "face.json")
    if is_adapted(folder):
        AdaptedFaceEncoder(folder, CPU, torch.float32, flip=False, regions="256x4x4")
    else:
        with pytest.raises(InputError, match="neither a name nor an added file"):
            make_face_encoder(str(folder), CPU, torch.float32, flip=False, regions="256x4x4")
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_truncated_file_and_an_unknown_map(folder: Path) -> None:
    with pytest.raises(InputError, match="3x3"):
        make_face_encoder(str(folder), CPU, torch.float32, flip=False, regions="3x3")
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"model\.safetensors; found: .*header too small"):
        AdaptedFaceEncoder(folder, CPU, torch.float32, flip=False, regions="256x4x4")


def test_sface_can_be_the_frozen_half(tmp_path: Path) -> None:
    net = sface.make_net()
    with torch.no_grad():
        net.head.bias.add_(SHIFT)
    save_adapted(tmp_path, net, sface.load_weights()[1], {}, base="sface-2021")
    chips = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), dtype=np.uint8)
    encoder = make_face_encoder(str(tmp_path), CPU, torch.float32, flip=True, regions=default_regions(str(tmp_path)))
    frozen = sface.SFaceEncoder(flip=True).encode(chips)
    vector, regions = encoder.encode(chips)
    assert (encoder.spec.name, encoder.spec.regions) == ("sface-2021+adapted", (512, 14, 14))
    assert torch.equal(vector[:, :128], frozen.global_)
    assert torch.allclose(vector[:, 128:], frozen.global_ + SHIFT, atol=2e-2)
    assert regions.shape == (2, 512, 14, 14)


@pytest.mark.parametrize(
    ("trained", "shared"), [("blocks.5.1.conv.bias", 5), ("blocks.12.1.conv.bias", 12), ("stem.conv.bias", 0)]
)
def test_what_was_left_frozen_in_the_copy_runs_once(tmp_path: Path, trained: str, shared: int) -> None:
    net = sface.make_net()
    with torch.no_grad():
        net.get_parameter(trained).add_(SHIFT)
    save_adapted(tmp_path, net, sface.load_weights()[1], {}, base="sface-2021")
    chips = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), dtype=np.uint8)
    encoder = AdaptedFaceEncoder(tmp_path, CPU, torch.float32, flip=False, regions="1024x7x7")
    ran: list[str] = []
    units = ["stem", *(f"blocks.{at}" for at in range(len(sface.BLOCKS)))]
    for name in units:
        for half in (encoder.frozen.net, encoder.net):
            half.get_submodule(name).register_forward_hook(lambda module, x, out, name=name: ran.append(name))
    vector, regions = encoder.encode(chips)
    once = units[: shared + 1] if shared else []
    assert sorted(ran) == sorted([*units, *(name for name in units if name not in once)])
    # As if both nets had run apart: what is shared has the frozen net's weights, before their rounding in the file.
    x = encoder.frozen.pixels(chips)
    with torch.inference_mode():
        frozen, apart = (encoder.frozen.through(net, x) for net in (encoder.frozen.net, encoder.net))
    assert torch.equal(vector[:, :128], frozen.global_)
    assert torch.cosine_similarity(vector[:, 128:], apart.global_).min() > 0.99999
    assert torch.cosine_similarity(regions.flatten(1), apart.regions.flatten(1)).min() > 0.99999
    assert not torch.allclose(vector[:, 128:], frozen.global_, atol=1e-3)


def test_an_unknown_base_is_named(folder: Path) -> None:
    card = json.loads((folder / "face.json").read_text())
    (folder / "face.json").write_text(json.dumps({**card, "base": "facenet"}))
    with pytest.raises(CheckpointError, match=r"facenet.*dlib-resnet or sface-2021"):
        make_face_encoder(str(folder), CPU, torch.float32, flip=False, regions="256x4x4")
