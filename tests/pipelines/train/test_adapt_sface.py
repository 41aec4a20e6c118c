"""The command that adapts SFace: which photos it trains on, what it tells of them, and that its half loads."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from pipelines.tools import adapt_sface, labelled_photos
from pipelines.tools.labelled_photos import PhotoCache
from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.encoders.adapted import save_adapted
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.dlib_resnet import DlibResNet, load_weights
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.encoders.sface import make_net
from tgfr_search.errors import CheckpointError, InputError, NothingUsableError
from tgfr_search.options import PhotoAdaptOptions
from tgfr_search.types import Record

OPTIONS = PhotoAdaptOptions(batch=2, lr=1e-6, warmup=0.0, clean=0.2, frozen_blocks=11)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people who do not exist, two pictures each; a landscape of nobody's face and a file that is no picture."""
    folder, faces = tmp_path_factory.mktemp("faces") / "data", SyntheticFaces.load()
    for person in range(4):
        (folder / f"p{person}").mkdir(parents=True)
        for view in range(2):
            Image.fromarray(faces.render(faces.person(person), view)).save(folder / f"p{person}/{view}.png")
    slope = np.repeat(np.linspace(0, 255, 120).astype(np.uint8)[:, None, None], 160, axis=1).repeat(3, axis=2)
    Image.fromarray(slope).save(folder / "p0/landscape.png")
    (folder / "p1/torn.png").write_bytes(b"\x89PNG torn")
    return folder


def encoder_of(folder: Path) -> FaceEncoder:
    return make_face_encoder(str(folder), torch.device("cpu"), torch.float32, flip=False, regions="512x14x14")


def run(data: Path, out: Path, *more: str, steps: int = 1) -> None:
    adapt_sface.main([str(data), "--out", str(out), "--steps", str(steps), "--threads", "1", *more])


def test_it_writes_an_encoder_that_loads_and_tells_how_it_was_made(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt_sface, "RECIPE", OPTIONS)
    run(data, tmp_path / "out", "--seed", "3", "--licence", "ask")
    encoder = encoder_of(tmp_path / "out/face")
    assert encoder.spec.name == "sface-2021+adapted"
    chips = np.random.default_rng(0).integers(0, 255, (1, 112, 112, 3), dtype=np.uint8)
    frozen, adapted = encoder.encode(chips).global_.split(128, dim=1)
    assert 0 < (frozen - adapted).abs().max() < 1

    told = json.loads((tmp_path / "out/face/face.json").read_text())["provenance"]
    left_out = told["photos"].pop("left_out")
    assert left_out["no_face"] == 1  # the landscape; the torn file has a reason of its own
    assert sum(left_out.values()) == 2
    assert told["photos"] == {"photos": 8, "subjects": 4}
    assert (told["seed"], told["threads"], told["licence"]) == (3, 1, "ask")
    assert told["start"] == encoder.spec.sha256.split("+")[0]
    assert told["options"] == dataclasses.asdict(dataclasses.replace(OPTIONS, steps=1))
    lines = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == "faces"
    assert (lines[0]["photos"], lines[0]["left_out"], lines[0]["no_face"]) == (8, 2, 1)

    run(data, tmp_path / "more", "--start", str(tmp_path / "out/face"), steps=0)
    again = encoder_of(tmp_path / "more/face")
    assert torch.equal(again.encode(chips).global_, torch.cat([frozen, adapted], dim=1))
    begun = json.loads((tmp_path / "more/face/face.json").read_text())["provenance"]["start"]
    assert begun == encoder.spec.sha256
    with pytest.raises(CheckpointError, match="another start"):
        run(data, tmp_path / "out", "--seed", "3", "--start", str(tmp_path / "out/face"))


def test_a_blend_lies_between_start_and_end(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt_sface, "RECIPE", dataclasses.replace(OPTIONS, lr=1e-3))
    run(data, tmp_path / "out")
    run(data, tmp_path / "out", "--blend", "0.25")  # the finished run's end, blended
    run(data, tmp_path / "whole")
    start, (part, whole) = (
        make_net().state_dict(),
        (load_file(tmp_path / out / "face/model.safetensors") for out in ("out", "whole")),
    )
    for name, tensor in start.items():
        assert torch.allclose(part[name].float(), 0.75 * tensor + 0.25 * whole[name].float(), rtol=1e-2, atol=1e-3), (
            name
        )
    assert not torch.equal(part["head.bias"], whole["head.bias"])
    told = json.loads((tmp_path / "out/face/face.json").read_text())["provenance"]
    assert told["blend"] == 0.25
    for wrong in ("0", "1.5"):
        with pytest.raises(InputError, match=f"--blend; found: {wrong}; expected: above 0, at most 1"):
            run(data, tmp_path / "never", "--blend", wrong)
    assert not (tmp_path / "never").exists()


def test_another_net_is_no_start(data: Path, tmp_path: Path) -> None:
    save_adapted(tmp_path / "dlib", DlibResNet(head_bias=True), load_weights()[1], {})
    with pytest.raises(CheckpointError, match=r"face\.json: base; found: dlib-resnet; expected: sface-2021"):
        run(data, tmp_path / "out", "--start", str(tmp_path / "dlib"))


def test_what_is_drawn_depends_on_the_photos_and_not_on_where_they_lie(data: Path, tmp_path: Path) -> None:
    copytree(data, tmp_path / "elsewhere")
    here = labelled_photos.labelled_photos(data, None, tmp_path / "here.json", Counter())
    there = labelled_photos.labelled_photos(tmp_path / "elsewhere", None, tmp_path / "there.json", Counter())
    assert here.sha256 == there.sha256
    assert len(set(here.sha256)) == 8
    assert here.digest() == there.digest()


def test_faces_are_looked_for_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed while it looked goes on; a photo that changed since is told by its name."""
    looked: list[str] = []
    found = labelled_photos._found

    def counted(record: Record) -> dict[str, object]:
        looked.append(record.name)
        if len(looked) == 6:
            raise KeyboardInterrupt
        return found(record)

    monkeypatch.setattr(labelled_photos, "_found", counted)
    monkeypatch.setattr(labelled_photos, "SAVE_ROWS", 2)
    copytree(data, tmp_path / "data")
    with pytest.raises(KeyboardInterrupt):
        labelled_photos.labelled_photos(tmp_path / "data", None, tmp_path / "found.json", Counter())
    left_out: Counter[str] = Counter()
    photos = labelled_photos.labelled_photos(tmp_path / "data", None, tmp_path / "found.json", left_out)
    assert len(looked) == 10 + 2  # the fifth was not written yet, the sixth was begun twice
    assert (len(photos), left_out["no_face"]) == (8, 1)
    labelled_photos.labelled_photos(tmp_path / "data", None, tmp_path / "found.json", Counter())
    assert len(looked) == 12
    (tmp_path / "data/p0/0.png").write_bytes((data / "p1/0.png").read_bytes())
    with pytest.raises(InputError, match=r"p0/0\.png; found: SHA-256"):
        photos.pixels[0]


def test_photos_are_kept_as_long_as_their_bytes_fit(tmp_path: Path) -> None:
    records, digests = [], []
    for n in range(4):
        path = tmp_path / f"{n}.png"
        Image.fromarray(np.full((20, 10 * (n + 1), 3), n, np.uint8)).save(path)
        records.append(Record(path.name, "a", str(path)))
        digests.append(labelled_photos.FINDER.load(path).sha256)
    cache = PhotoCache(records, digests, limit=20 * 3 * 50)  # 10 + 20 pixels wide, or 10 + 40, or 20 + 30
    for row, kept in ((0, [0]), (1, [0, 1]), (0, [1, 0]), (2, [0, 2]), (3, [3]), (0, [3, 0]), (2, [0, 2])):
        assert cache[row].shape[1] == 10 * (row + 1)
        assert list(cache.kept) == kept
        assert cache.bytes == sum(photo.nbytes for photo in cache.kept.values()) <= cache.limit
    small = PhotoCache(records, digests, limit=1)
    assert small[3].shape == (20, 40, 3)
    assert list(small.kept) == [3]


def test_data_without_a_usable_photo_are_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data/nobody").mkdir(parents=True)
    (tmp_path / "data/nobody/a.png").write_bytes((data / "p0/landscape.png").read_bytes())
    with pytest.raises(NothingUsableError, match="1 no_face"):
        run(tmp_path / "data", tmp_path / "out")
