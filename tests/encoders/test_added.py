"""`model add` and `model list`: official files in, encoders by name out."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from iresnet_helpers import layout, random_state
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from tgfr_search.app.cli.main import app
from tgfr_search.encoders.added import add_face_encoder, models_dir
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.faces.align import ALIGNMENTS

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TGFR_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "models"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "backbone.pth"
    torch.save(random_state(layout("arcface-r18")), path)
    return path


@pytest.fixture(scope="module")
def adaface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "adaface_ir18_casia.ckpt"
    torch.save({"epoch": 25, "state_dict": random_state(layout("adaface-ir18"))}, path)
    return path


def make(name: str, **options: object) -> FaceEncoder:
    return make_face_encoder(name, CPU, torch.float32, **{"flip": False, "regions": "256x14x14", **options})  # type: ignore[arg-type]


def run(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return dict(json.loads(result.stdout))


def test_added_from_the_command_line_and_used_by_name(adaface: Path, models: Path) -> None:
    card = run("model", "add", "lab", "--from", adaface)
    assert card == json.loads((models / "lab.json").read_text())
    assert card["arch"] == "adaface-ir18"
    assert card["source_sha256"] == hashlib.sha256(adaface.read_bytes()).hexdigest()
    assert card["source_file"] == "adaface_ir18_casia.ckpt"
    assert "MIT" in str(card["licence"])
    assert "mk-minchul/AdaFace" in str(card["source"])

    encoder = make("lab")
    assert encoder.spec.name == "lab"
    assert encoder.spec.sha256 == card["weights_sha256"]
    assert encoder.spec.preprocessing == "bgr;minus127.5;div127.5"
    features = encoder.encode(np.zeros((1, 112, 112, 3), np.uint8))
    assert features.global_.shape == (1, 512)
    assert features.regions.shape == (1, 256, 14, 14)
    # The same encoder by the path of its weights and of its card, whatever $TGFR_MODELS says.
    for path in (models / "lab.safetensors", models / "lab.json"):
        assert make(str(path)).spec == encoder.spec


def test_the_weights_are_stored_unchanged(backbone: Path, models: Path) -> None:
    add_face_encoder("lab", backbone)
    stored, official = load_file(models / "lab.safetensors"), torch.load(backbone, weights_only=True)
    weights: dict[str, Tensor] = {k: v for k, v in official.items() if not k.endswith("num_batches_tracked")}
    assert stored.keys() == weights.keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in weights.items())


def test_licence_source_and_architecture_may_be_given(backbone: Path) -> None:
    """A MagFace file whose prefix somebody has cut off looks like ArcFace; --arch says what it is."""
    card = run(
        "model", "add", "lab", "--from", backbone, "--arch", "magface-r18", "--licence", "ours", "--source", "shelf 3"
    )
    assert (card["arch"], card["licence"], card["source"]) == ("magface-r18", "ours", "shelf 3")
    assert make("lab").spec.preprocessing == "bgr;minus0;div255"


def test_the_list_shows_what_is_installed_and_how_to_bring_the_rest(backbone: Path) -> None:
    def entries() -> dict[str, dict[str, object]]:
        encoders = run("model", "list")["encoders"]
        assert isinstance(encoders, list)
        return {entry["name"]: entry for entry in encoders}

    before = entries()
    assert before["dlib-resnet"]["installed"]
    for name in ("arcface-r50", "adaface-ir18", "adaface-ir101", "magface-r100"):
        assert not before[name]["installed"]
        assert before[name]["command"] == f"tgfr-search model add {name} --from FILE"
    assert before["onnx-sface"]["command"] == "tgfr-search model add onnx-sface --from face_recognition_sface.onnx"
    assert before["hub:openai/clip-vit-base-patch32"]["command"] == "hf download openai/clip-vit-base-patch32"
    families = {str(entry["what"]).split()[0] for entry in before.values() if entry["name"].startswith("hub:")}  # type: ignore[attr-defined]
    assert families == {"bert", "roberta", "align", "clip", "blip", "flava", "groupvit"}
    add_face_encoder("lab", backbone)
    after = entries()
    assert after["lab"]["installed"]
    assert not after["lab"]["command"]
    assert "arcface-r18" in str(after["lab"]["what"])
    assert "arcface-r18" not in after  # it is there now, under the name it was given


def test_a_name_is_taken_once(backbone: Path) -> None:
    add_face_encoder("lab", backbone)
    with pytest.raises(InputError, match=r"'lab'.*already added: .*lab\.json"):
        add_face_encoder("lab", backbone)
    for name in ("", "../lab", "a/b", ".hidden", "x" * 65):
        with pytest.raises(InputError, match="letters, digits"):
            add_face_encoder(name, backbone)
    for name in ("dlib-resnet", "bilstm", "all-MiniLM-L6-v2"):
        with pytest.raises(InputError, match="comes with the package"):
            add_face_encoder(name, backbone)


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path, models: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for file in ("other.pth", "none.pth"):
        with pytest.raises(CheckpointError, match=file):
            add_face_encoder("lab", tmp_path / file)
    assert not models.exists()


def test_damaged_weights_are_refused(backbone: Path, models: Path) -> None:
    add_face_encoder("lab", backbone)
    path = models / "lab.safetensors"
    whole = bytearray(path.read_bytes())
    whole[-1000] ^= 0x40
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r"lab\.safetensors; found: SHA-256 .*model add lab --from backbone\.pth"):
        make("lab")
    path.write_bytes(whole[:1000])
    with pytest.raises(CheckpointError, match=r"lab\.safetensors.*model add"):
        make("lab")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"lab\.safetensors; found: no such file"):
        make("lab")
    (models / "lab.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"lab\.json.*a card written by `model add`"):
        make("lab")


def test_an_official_file_must_be_added_first(backbone: Path) -> None:
    with pytest.raises(InputError, match=r"not added; .*sface-2021, sface-2021.adapted; .*model add .*backbone\.pth"):
        make(str(backbone))
    with pytest.raises(InputError, match=r"one of: dlib-resnet, sface-2021, sface-2021.adapted; .*model list"):
        make("no-such-net")


def test_another_map_than_its_own_is_refused(backbone: Path) -> None:
    add_face_encoder("lab", backbone)
    with pytest.raises(InputError, match=r"regions '256x4x4'; expected: of lab: 256x14x14"):
        make("lab", regions="256x4x4")
    with pytest.raises(InputError, match="of dlib-resnet: 256x4x4 or 128x8x8"):
        make("dlib-resnet")


def test_every_encoder_names_a_chip_that_there_is(backbone: Path) -> None:
    add_face_encoder("lab", backbone)
    for encoder in (make("lab"), make("dlib-resnet", regions="256x4x4")):
        assert ALIGNMENTS[encoder.spec.alignment].size == encoder.spec.input_size


def test_the_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TGFR_MODELS")
    monkeypatch.delenv("TGFR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert models_dir() == tmp_path / ".cache/tgfr-search/models"
