"""A trained model with a further face encoder: its trained blocks stay what they were, the score weights are new."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.tools.join_faces import Eyes, join
from tgfr_search.errors import CheckpointError, InputError, OptionsError
from tgfr_search.faces.wide import cut
from tgfr_search.model.checkpoint import find_model, load_model, read_config
from tgfr_search.model.probe import rows_of
from tgfr_search.options import DataOptions, TrainOptions

BASE = "tgfr-minilm-dlib"
MEMBERS = ("sface-2021=face", "self=face_dlib,adapted_dlib")


@pytest.fixture
def options(demo: Path, captions: dict[str, list[str]], tmp_path: Path) -> TrainOptions:
    images = [p for p in sorted((demo / "gallery").rglob("*.png")) if p.parent.name < "person0002"]
    names = [p.relative_to(demo / "gallery").as_posix() for p in images]
    columns = {
        "image": [p.read_bytes() for p in images],
        "file": names,
        "identity": [int(name[6:10]) for name in names],
        "captions": [captions[name] for name in names],
        "split": ["valid"] * len(names),
    }
    pq.write_table(pa.table(columns), tmp_path / "faces.parquet")
    data = DataOptions(path=str(tmp_path / "faces.parquet"), cache=str(tmp_path / "cache"))
    return TrainOptions(name="joined", device="cpu", data=data)


def test_trained_blocks_stay_and_weights_are_new(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.train.score_weights.SCORE_STEPS", 5)
    told = join(find_model(BASE), options, Eyes(MEMBERS), tmp_path / "models/joined")
    model = load_model(tmp_path / "models/joined", device="cpu", verify=True, precision="float32")
    base = load_model(BASE, device="cpu", precision="float32")
    assert told["model_id"] == model.model_id != base.model_id
    assert [name for name, _ in model.tgfr.layout][:4] == ["face", "face_dlib", "adapted_dlib", "shared_face"]
    assert {"face", "face_dlib", "adapted_dlib"} <= set(model.scoring.weights["image"])
    assert told["provenance"]["joined"]["base"] == base.model_id

    card = (tmp_path / "models/joined/CARD.md").read_text(encoding="utf-8")
    assert all(
        part in card
        for part in (
            "`sface-2021=face`",
            base.model_id,
            f"{told['provenance']['joined']['valid_images']} images of valid",
        )
    )

    wide = np.random.default_rng(0).integers(0, 255, (2, 225, 225, 3), dtype=np.uint8)
    said = [("a man with glasses",), ()]
    ours, theirs = model.embed(wide, said), base.embed(cut(wide, "dlib-150"), said)
    for name, dim in base.tgfr.layout:
        mine = {"face": "face_dlib", "adapted": "adapted_dlib"}.get(name, name)
        assert ours.templates.blocks[mine].shape == (2, dim)
        assert np.array_equal(ours.templates.blocks[mine], theirs.templates.blocks[name]), name
    assert np.array_equal(ours.quality, theirs.quality)
    # Statements read the same blocks under their new names.
    claims = [{"eyeglasses": -1.0}]
    shares = []
    for own, seen in ((model, ours), (base, theirs)):
        assert own.directions is not None
        stated = own.directions.stated(claims, own.tgfr.layout)
        shares.append(stated.queries @ rows_of(seen.templates, own.tgfr.layout).T)
    assert np.abs(shares[1]).max() > 0
    assert shares[0] == pytest.approx(shares[1], abs=1e-4)


def test_what_cannot_be_joined_is_told(options: TrainOptions, tmp_path: Path) -> None:
    base = find_model(BASE)
    with pytest.raises(InputError, match="self"):
        join(base, options, Eyes(MEMBERS[:1]), tmp_path / "a")
    with pytest.raises(CheckpointError, match="1 blocks of dlib-resnet"):
        join(base, options, Eyes((MEMBERS[0], "self=face_dlib")), tmp_path / "b")


def test_trained_modules_read_only_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    base = find_model(BASE)
    text = (base / "config.json").read_text().replace('"regions": "256x4x4"', '"regions": "256x4x4", "reads": ["hair"]')
    text = text.replace('"text": "text"', f'"text": "{base / "text"}"').replace(
        '"face": "face"', f'"face": "{base / "face"}"'
    )
    (folder / "config.json").write_text(text)
    assert read_config(folder)["model"]["reads"] == ["hair"]
    with pytest.raises(OptionsError, match="adapted"):
        load_model(folder, device="cpu")
