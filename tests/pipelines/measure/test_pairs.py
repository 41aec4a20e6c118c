"""`benchmark --pairs` on trees of the official layouts of LFW and IJB, with people who do not exist."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pipelines.measure.pairs import score_listed, template_vectors
from tgfr_search.app.cli.main import app
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder

FOLDS, EACH = 3, 4


def photos(demo: Path) -> list[tuple[Path, Path]]:
    """Two pictures of each of twelve people."""
    people = sorted(path for path in (demo / "gallery").iterdir() if path.is_dir())
    return [(one, other) for one, other in (sorted(person.iterdir())[:2] for person in people)]


@pytest.fixture
def lfw(demo: Path, tmp_path: Path) -> Path:
    """LFW as published: lfw/Name/Name_0001.jpg and pairs.txt, three folds of four genuine and four impostor pairs."""
    folder = tmp_path / "set"
    for number, (one, other) in enumerate(photos(demo)):
        name = f"Person_{number:02d}"
        (folder / "lfw" / name).mkdir(parents=True)
        shutil.copy(one, folder / "lfw" / name / f"{name}_0001.jpg")
        shutil.copy(other, folder / "lfw" / name / f"{name}_0002.jpg")
    lines = [f"{FOLDS}\t{EACH}"]
    for fold in range(FOLDS):
        own = [f"Person_{fold * EACH + at:02d}" for at in range(EACH)]
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{name}\t1\t{own[(at + 1) % EACH]}\t2" for at, name in enumerate(own)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def ijb(demo: Path, tmp_path: Path) -> Path:
    """IJB-C as published: template 2n is person n's first picture, 2n + 1 both; each against its own and the next."""
    folder = tmp_path / "ijbc"
    (folder / "loose_crop").mkdir(parents=True)
    (folder / "meta").mkdir()
    members, pairs = [], []
    for number, (one, other) in enumerate(photos(demo)):
        names = [f"{2 * number + at + 1}.jpg" for at in range(2)]
        for name, picture in zip(names, (one, other), strict=True):
            shutil.copy(picture, folder / "loose_crop" / name)
        members += [f"{names[0]} {2 * number} {number}", *(f"{name} {2 * number + 1} {number}" for name in names)]
        pairs += [f"{2 * number} {2 * number + 1} 1", f"{2 * number} {(2 * number + 3) % 24} 0"]
    (folder / "meta/ijbc_face_tid_mid.txt").write_text("\n".join(members) + "\n")
    (folder / "meta/ijbc_template_pair_label.txt").write_text("\n".join(pairs) + "\n")
    return folder


def run(folder: Path, pairs: Path, out: Path, *more: str) -> dict[str, Any]:
    command = ["benchmark", str(folder), "--pairs", str(pairs), "--out", str(out), "--workers", "0", "--json", *more]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    tree: dict[str, Any] = json.loads(done.stdout)
    assert tree == json.loads((out / "pairs.json").read_text())
    return tree


def vector(path: Path) -> np.ndarray:
    """One photo by the encoder itself."""
    encoder = make_face_encoder("dlib-resnet", torch.device("cpu"), torch.float32, flip=True, regions="256x4x4")
    chip = FaceFinder().for_alignment(encoder.spec.alignment).find(path).pixels
    out = encoder.encode(chip[None]).global_[0].numpy()
    return np.asarray(out / np.linalg.norm(out))


def test_lfw_in_folds(lfw: Path, tmp_path: Path) -> None:
    tree = run(lfw, lfw / "pairs.txt", tmp_path / "out")
    assert (tree["genuine_pairs"], tree["impostor_pairs"], tree["images"]) == (12, 12, 24)
    assert tree["images_without_a_face"] == tree["pairs_not_compared"] == 0
    assert tree["accuracy"]["value"] > 0.8
    assert tree["accuracy"]["error"] >= 0
    assert "8 impostor pairs expect" in tree["tar_at_far"]["0.1"]["reason"]
    assert tree["encoder"]["name"] == "dlib-resnet"
    assert "never an identification" in tree["notice"]


def test_a_photo_without_a_face_rejects_its_pairs(lfw: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (120, 120), "grey").save(lfw / "lfw/Person_00/Person_00_0001.jpg")
    tree = run(lfw, lfw / "pairs.txt", tmp_path / "out")
    assert (tree["images_without_a_face"], tree["pairs_not_compared"]) == (1, 2)
    assert tree["genuine_pairs"] == 12  # none is left out of the figures
    (lfw / "lfw/Person_05/Person_05_0002.jpg").unlink()
    with pytest.raises(InputError, match=r"1 images of the list are not there: lfw/Person_05/Person_05_0002\.jpg"):
        run(lfw, lfw / "pairs.txt", tmp_path / "out")


def test_ijb_templates(ijb: Path, tmp_path: Path) -> None:
    tree = run(ijb, ijb / "meta/ijbc_template_pair_label.txt", tmp_path / "out")
    assert (tree["genuine_pairs"], tree["impostor_pairs"]) == (12, 12)
    assert (tree["templates"], tree["images"], tree["templates_without_a_face"]) == (24, 24, 0)
    assert tree["eer"]["value"] < 0.2
    assert "12 impostor pairs expect 1.2 false accepts" in tree["tar_at_far"]["0.1"]["reason"]


def test_a_template_is_the_unit_mean_of_its_images(ijb: Path, tmp_path: Path) -> None:
    """One genuine and one impostor pair: with the mean of two pictures the EER is decided by these two cosines."""
    one, two = (vector(ijb / f"loose_crop/{number}.jpg") for number in (1, 2))
    mean = (one + two) / np.linalg.norm(one + two)
    made = template_vectors(
        {"1.jpg": one, "2.jpg": two}, {7: ["1.jpg", "2.jpg"], 8: ["1.jpg", "none.jpg"], 9: ["none.jpg"]}
    )
    assert np.allclose(made[7], mean, atol=1e-6)
    assert np.allclose(made[8], one, atol=1e-6)
    assert set(made) == {7, 8}
    scores, there = score_listed(made, [7, 7, 9], [7, 8, 7])
    assert np.allclose(scores, [1, mean @ one, -1], atol=1e-6)
    assert there.tolist() == [True, True, False]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected: LFW or IJB-B/C as published"):
        run(tmp_path / "none", tmp_path / "pairs.txt", tmp_path / "out")
    with pytest.raises(InputError, match="face encoder 'adaface-ir18'"):
        run(tmp_path / "none", tmp_path / "pairs.txt", tmp_path / "out", "--encoder", "adaface-ir18")
