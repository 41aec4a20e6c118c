"""From labelled photos to a model whose rows have a block of attributes, and statements that read it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.tools.fit_attribute_reader import main
from pipelines.tools.join_faces import Eyes, join
from pipelines.train.attributes.rows import StatementOptions
from pipelines.train.attributes.statements import fit_statements
from tests.models import FAST_MODEL
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.encoders.attribute_reader import BLOCK, OUTPUTS, SCALE, WIDTH
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import find_model, load_model
from tgfr_search.options import DataOptions, TrainOptions

MALE = ATTRIBUTES.index("male")
PEOPLE = 6


@pytest.fixture
def photos(demo: Path) -> list[Path]:
    return [p for p in sorted((demo / "gallery").rglob("*.png")) if p.parent.name < f"person{PEOPLE:04d}"]


@pytest.fixture
def data(photos: list[Path], captions: dict[str, list[str]], demo: Path, tmp_path: Path) -> Path:
    """Every second person is a man; the last two are valid's."""
    names = [p.relative_to(demo / "gallery").as_posix() for p in photos]
    people = [int(name[6:10]) for name in names]
    columns = {
        "image": [p.read_bytes() for p in photos],
        "file": names,
        "identity": people,
        "captions": [captions[name] for name in names],
        "split": ["valid" if own >= PEOPLE - 2 else "train" for own in people],
        **{name: [own % 2 == 0 for own in people] for name in ATTRIBUTES},
    }
    pq.write_table(pa.table(columns), tmp_path / "faces.parquet")
    return tmp_path / "faces.parquet"


def test_a_row_shows_the_attributes_and_statements_read_them_off(
    data: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.train.score_weights.SCORE_STEPS", 5)
    cache, reader = tmp_path / "cache", tmp_path / "reader"
    main(["tgfr-minilm-sface", str(data), "--out", str(reader), "--cache", str(cache), "--workers", "1"])
    assert '"maps": "[[512, 14, 14], [256, 4, 4]]"' in capsys.readouterr().out.replace("\\", "")
    assert "| male |" in (reader / "CARD.md").read_text(encoding="utf-8")

    options = TrainOptions(name="told", device="cpu", data=DataOptions(path=str(data), cache=str(cache)))
    eyes = Eyes(("sface-2021+adapted=face,adapted", "self=face_dlib,adapted_dlib"), (), reader, "retinaface")
    join(find_model(FAST_MODEL), options, eyes, tmp_path / "models/told")
    model = load_model(tmp_path / "models/told", device="cpu", precision="float32")
    assert dict(model.tgfr.layout)[BLOCK] == WIDTH

    fit_statements(model, StatementOptions(data=data, cache=cache), workers=1)
    told = load_model(tmp_path / "models/told", device="cpu", precision="float32")
    own = told.directions
    assert own is not None
    assert own.blocks == (BLOCK,)
    finder = told.find_with()
    chips = np.stack([finder.find(path).pixels for path in photos])
    blocks = told.embed(chips, [()] * len(chips)).templates.blocks
    assert np.linalg.norm(blocks[BLOCK], axis=1) == pytest.approx(1, abs=1e-5)
    z = own.seen(blocks)
    assert z == pytest.approx(blocks[BLOCK][:, :OUTPUTS] * SCALE, abs=1e-2)
    men = np.array([int(path.parent.name[6:10]) % 2 == 0 for path in photos])
    learnt = np.array([int(path.parent.name[6:10]) < PEOPLE - 2 for path in photos])
    assert z[learnt & men, MALE].min() > z[learnt & ~men, MALE].max()


def test_a_model_of_one_net_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a joint face encoder"):
        main([FAST_MODEL, str(data), "--out", str(tmp_path / "reader")])
