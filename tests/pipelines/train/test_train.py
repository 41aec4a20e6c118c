"""Training on people who do not exist: end to end, killed and resumed, repeatable, and what it refuses."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

import pipelines.train.run_state
import pipelines.train.step0.chips
from pipelines.faces.aligned import silent
from pipelines.train.run import train
from pipelines.train.sets import load_sets
from tgfr_search.data.records import read_records
from tgfr_search.data.same_person import SAME, Decision, decisions_text
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.checkpoint import load_model, save_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.options import (
    AdaptOptions,
    AlignOptions,
    DataOptions,
    DescribeOptions,
    FuseOptions,
    LossOptions,
    ModelOptions,
    TrainOptions,
)


@pytest.fixture(scope="module")
def dataset(demo: Path, captions: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo gallery as a data set Parquet: eight subjects to train on, four to tune on."""
    images = sorted(p for p in (demo / "gallery").rglob("*.png"))
    names = [p.relative_to(demo / "gallery").as_posix() for p in images]
    people = sorted({name.split("/")[0] for name in names})
    path = tmp_path_factory.mktemp("set") / "faces.parquet"
    pq.write_table(
        pa.table(
            {
                "image": [p.read_bytes() for p in images],
                "file": names,
                "identity": [people.index(name.split("/")[0]) for name in names],
                "captions": [captions[name] for name in names],
                "split": ["train" if people.index(name.split("/")[0]) < 8 else "valid" for name in names],
            }
        ),
        path,
    )
    return path


@pytest.fixture(scope="module")
def options(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    cache = tmp_path_factory.mktemp("training-cache")  # made by the first run, read by the others
    return TrainOptions(
        name="tiny",
        device="cpu",
        precision="float32",
        data=DataOptions(path=str(dataset), views=("original", "bad", "random0"), cache=str(cache)),
        model=ModelOptions(text_encoder="bilstm", face_hidden=16, fused_dim=32, description_dim=8),
        loss=LossOptions(identity=1.0),
        align=AlignOptions(epochs=2, batch=4, text_lr=1e-3),
        fuse=FuseOptions(epochs=2, batch=8),
        describe=DescribeOptions(epochs=2, batch=4),
    )


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Fewer and smaller fitting steps: what is tested is that they happen, not how well they fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.train.fits.QUALITY_BATCH", 32)
        patch.setattr("pipelines.train.fits.QUALITY_STEPS", 20)
        patch.setattr("pipelines.train.score_weights.SCORE_STEPS", 5)
        yield


@pytest.fixture(scope="module")
def whole(options: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run to its end, to read, and what it told."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, train(options, folder, workers=0)


def once(options: TrainOptions) -> TrainOptions:
    """One epoch a step, where a second one would show nothing more."""
    align, fuse, describe = (
        dataclasses.replace(step, epochs=1) for step in (options.align, options.fuse, options.describe)
    )
    return dataclasses.replace(options, align=align, fuse=fuse, describe=describe)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {**load_file(folder / "model.safetensors"), **load_file(folder / "text/model.safetensors")}


def test_killed_in_the_middle_it_ends_with_the_same_weights(
    options: TrainOptions, whole: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, done = whole
    assert done["train_subjects"] == 8
    assert set(done["valid_rank1"]) == {"image", "caption", "fused"}
    told = (run / "model/CARD.md").read_text(encoding="utf-8")
    assert all(part in told for part in (done["model_id"], done["data_sha256"], options.data.licence, "8 people"))

    class KilledError(BaseException):
        pass

    real = pipelines.train.run_state.RunState.save
    saves = 0

    def save_and_die(self: pipelines.train.run_state.RunState, epoch: int, extra: dict[str, float]) -> None:
        nonlocal saves
        real(self, epoch, extra)
        saves += 1
        if saves in (1, 3, 5):  # after the first epoch of every step
            raise KilledError

    monkeypatch.setattr(pipelines.train.run_state.RunState, "save", save_and_die)
    for _ in range(3):
        with pytest.raises(KilledError):
            train(options, tmp_path / "resumed", workers=0)
    resumed = train(options, tmp_path / "resumed", workers=0)
    assert saves == 6  # no epoch was run twice
    one, other = weights(run / "model"), weights(tmp_path / "resumed/model")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert resumed["model_id"] == done["model_id"]
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {"align", "fuse", "describe", "valid"} <= {line["step"] for line in lines}
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))


def test_a_run_may_name_its_detector(options: TrainOptions) -> None:
    named = dataclasses.replace(options, data=dataclasses.replace(options.data, detector="retinaface"))
    encoder = make_face_encoder("dlib-resnet", torch.device("cpu"), torch.float32, flip=False, regions="256x4x4")
    train_set, _, origin = load_sets(named, encoder, torch.float32, 0, silent)
    assert origin["detector"] == "retinaface"
    usual = load_sets(options, encoder, torch.float32, 0, silent)[0]
    assert not np.array_equal(train_set.features.batch(np.arange(2), 0)[0], usual.features.batch(np.arange(2), 0)[0])
    unknown = dataclasses.replace(options, data=dataclasses.replace(options.data, detector="eyes"))
    with pytest.raises(InputError, match="'eyes'"):
        load_sets(unknown, encoder, torch.float32, 0, silent)


def test_a_run_may_take_labels_as_they_were_decided(options: TrainOptions, tmp_path: Path) -> None:
    """Of valid's people, who choose the epoch and the score weights; nobody decided about those of train."""
    encoder = make_face_encoder("dlib-resnet", torch.device("cpu"), torch.float32, flip=False, regions="256x4x4")
    train_set, valid, origin = load_sets(options, encoder, torch.float32, 0, silent)
    assert origin["same_person"] is None
    records = read_records(Path(options.data.path), split=options.data.valid, on_problem=lambda problem: None)
    one, other, *_ = dict.fromkeys(str(record.subject_id) for record in records)
    path = tmp_path / "decided.csv"
    path.write_text(decisions_text([Decision(one, other, SAME)]), encoding="utf-8")
    decided = dataclasses.replace(options, data=dataclasses.replace(options.data, same_person=str(path)))
    same_train, merged, origin = load_sets(decided, encoder, torch.float32, 0, silent)
    assert (same_train.subject_count, merged.subjects.max()) == (train_set.subject_count, valid.subjects.max() - 1)
    assert len(origin["same_person"]) == 64


def test_the_checkpoint_loads_and_embeds(whole: tuple[Path, dict[str, Any]]) -> None:
    model = load_model(whole[0] / "model", device="cpu", verify=True)
    assert model.config["provenance"]["data_sha256"]
    assert model.config["provenance"]["options"]["name"] == "tiny"
    assert model.find_with().detector == model.config["provenance"]["detector"] == FaceFinder().detector
    chips = np.random.default_rng(0).integers(0, 255, (2, 150, 150, 3), dtype=np.uint8)
    out = model.embed(chips, [("a man",), ()])
    assert out.templates.present("fused").tolist() == [True, False]
    assert any(value != 0 for value in model.tgfr.centre_caption.tolist())


def test_an_adapted_face_encoder_joins_the_model_and_resumes(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(once(options), adapt=AdaptOptions(epochs=2, batch=4))
    whole = train(options, tmp_path / "whole", workers=0)
    real = pipelines.train.step0.chips.judge
    looks = 0

    class KilledError(BaseException):
        pass

    def judge_and_die(*args: Any) -> dict[str, float]:
        nonlocal looks
        looks += 1
        if looks == 2:  # in the second epoch
            raise KilledError
        return real(*args)

    monkeypatch.setattr(pipelines.train.step0.chips, "judge", judge_and_die)
    with pytest.raises(KilledError):
        train(options, tmp_path / "resumed", workers=0)
    resumed = train(options, tmp_path / "resumed", workers=0)
    assert looks == 3
    assert resumed["model_id"] == whole["model_id"]
    one, other = (load_file(tmp_path / run / "model/face/model.safetensors") for run in ("whole", "resumed"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    start = DlibFaceEncoder().net.state_dict()
    assert not torch.equal(one["stem.weight"].float(), start["stem.weight"])  # it was trained

    model = load_model(tmp_path / "whole/model", device="cpu")
    assert [name for name, _ in model.tgfr.layout] == [
        "face",
        "adapted",
        "shared_face",
        "caption",
        "fused",
        "description",
        "looks",
    ]
    assert "adapted" in model.scoring.weights["image"]
    assert "adapted" not in model.scoring.weights["caption"]

    # The control shares both encoders by name.
    shared = dataclasses.replace(
        options,
        model=dataclasses.replace(options.model, face_encoder=str(tmp_path / "whole/model/face")),
        adapt=AdaptOptions(),
        align=dataclasses.replace(options.align, captions="constant"),
    )
    assert train(shared, tmp_path / "control", workers=0)["model_id"].startswith("tiny-")
    control = load_model(tmp_path / "control/model", device="cpu")
    assert control.face_encoder.spec == model.face_encoder.spec
    assert control.scoring.weights["fused"] != {"fused": (1.0, 0.0)}
    assert not (tmp_path / "control/model/face").exists()


def test_only_the_net_that_can_be_adapted_is(options: TrainOptions, tmp_path: Path) -> None:
    other = dataclasses.replace(options.model, face_encoder="somebody-elses")
    with pytest.raises(InputError, match=r"somebody-elses.*dlib-resnet"):
        train(dataclasses.replace(options, model=other, adapt=AdaptOptions(epochs=1)), tmp_path / "run", workers=0)


@pytest.mark.parametrize("system", ["flf", "cgfr"])
def test_the_other_systems_train_with_the_same_code(options: TrainOptions, tmp_path: Path, system: str) -> None:
    options = once(options)
    changed = {
        "flf": dataclasses.replace(
            options,
            score="fused",
            model=dataclasses.replace(options.model, fusion="flf"),
            loss=LossOptions(wrcl=0, cicl=0, imcl=0, identity=1),
        ),
        "cgfr": dataclasses.replace(
            options,
            score="fused",
            model=dataclasses.replace(options.model, fusion="cgfr", text_refinement=True),
            loss=LossOptions(wrcl=0, cicl=0, imcl=0, identity=1, cmpc=1, damsm=1),
            align=dataclasses.replace(options.align, text_lr=0.0),
        ),
    }[system]
    result = train(changed, tmp_path / "run", workers=0)
    scoring = load_model(tmp_path / "run/model", device="cpu").scoring
    assert (scoring.weights["fused"] == {"fused": (1.0, 0.0)}) == (changed.score == "fused")
    assert result["model_id"].startswith("tiny-")


def test_a_caption_belongs_to_its_image(options: TrainOptions, captions: dict[str, list[str]]) -> None:
    """The authors' loader gave every image the first file's captions; ours must not."""
    from pipelines.train.steps import epoch_rng
    from tgfr_search.data.datasets import training_batches

    encoder = make_face_encoder("dlib-resnet", torch.device("cpu"), torch.float32, flip=False, regions="256x4x4")
    train_set, valid_set, _ = load_sets(options, encoder, torch.float32, 0, lambda *a: None)
    assert len(valid_set.names) > 4
    seen = set()
    for batch in training_batches(train_set.features, train_set.subjects, train_set.captions, 4, epoch_rng(0, "t", 0)):
        half = len(batch.rows) // 2
        assert len(set(batch.subjects[:half].tolist())) == half
        assert batch.subjects[:half].equal(batch.subjects[half:])
        for row, line, subject in zip(batch.rows, batch.captions, batch.subjects.tolist(), strict=True):
            assert line in train_set.captions[row]
            assert train_set.subjects[row] == subject
            seen.add(int(row))
    assert len(seen) == len(train_set.subjects)
    assert {line for own in train_set.captions for line in own} <= {line for own in captions.values() for line in own}


def test_subjects_in_both_splits_are_refused(options: TrainOptions, dataset: Path, tmp_path: Path) -> None:
    table = pq.read_table(dataset)
    column = table.schema.get_field_index("identity")
    mixed = table.set_column(column, "identity", pa.array([1] * len(table)))
    pq.write_table(mixed, tmp_path / "mixed.parquet")
    data = dataclasses.replace(options.data, path=str(tmp_path / "mixed.parquet"))
    with pytest.raises(InputError, match="1 subjects in train and valid"):
        train(dataclasses.replace(options, data=data), tmp_path / "run", workers=0)


def test_a_damaged_checkpoint_is_refused(model: FaceTextModel, tmp_path: Path) -> None:
    from tgfr_search.errors import CheckpointError

    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load_model(tmp_path / "nowhere")
    folder = tmp_path / "copy"
    options = ModelOptions(**{**model.config["model"]})
    scores = ScoreModel({"image": {"face": (1.0, 0.0)}}, {}, {"image": (0.0, 0.0)})
    face = os.path.relpath(model.folder / model.config["face"], folder)
    save_model(folder, model.tgfr, options, scores, name="copy", text="text", face=face, provenance={})
    assert load_model(folder, device="cpu", verify=True).model_id.startswith("copy-")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-50] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="another digest"):
        load_model(folder, device="cpu", verify=True)
    (folder / "model.safetensors").write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(folder, device="cpu")
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_model(folder, device="cpu")
