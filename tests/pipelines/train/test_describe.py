"""Step 3: the reader learns from descriptions; killed and resumed it is the same."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines.train.run_state import RunState
from pipelines.train.step3.batches import UNDEGRADED, Descriptions, epoch_batches
from pipelines.train.step3.step import describe_step
from pipelines.train.steps import TrainSet
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder
from tgfr_search.errors import CheckpointError, InputError, OptionsError
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import DataOptions, DescribeOptions, ModelOptions, TrainOptions

LOOKS = ["black", "brown", "blond", "grey", "red", "white", "dark", "light"]
NO_FURTHER = Descriptions(np.empty(0, np.int64), [])
MANNERS = ["kind", "loud", "tall", "short", "quick", "slow", "calm", "proud"]


def options(captions: str = "drawn", epochs: int = 30) -> TrainOptions:
    made = TrainOptions(
        name="described",
        data=DataOptions(path="none"),
        model=ModelOptions(text_encoder="bilstm", fused_dim=16, description_dim=16),
        describe=DescribeOptions(epochs=epochs, batch=32),
    )
    object.__setattr__(made.align, "captions", captions)
    return made


def people() -> TrainSet:
    """64 people, two images each: one of eight looks, which two lines name and faces show, and one of eight manners."""
    look, manner = np.arange(64) % 8, np.arange(64) // 8
    vectors = np.ones((128, 3, 2, 12), np.float32)
    vectors[np.arange(128), ..., look[np.arange(128) // 2]] += 1
    lines = [
        (f"a {LOOKS[look[i // 2]]} person", f"a {MANNERS[manner[i // 2]]} person", f"{LOOKS[look[i // 2]]} hair")
        for i in range(128)
    ]
    regions = np.zeros((128, 3, 2, 4, 2, 2), np.float16)
    return TrainSet(FeatureSet(("original", "bad", "random0"), vectors, regions), np.arange(128) // 2, lines)


def model_of(train: TrainSet, o: TrainOptions) -> TGFR:
    torch.manual_seed(0)
    text = BiLSTMTextEncoder.for_captions(line for own in train.captions for line in own)
    return TGFR(text, o.model, parts=(("face", 12),), region_channels=4)


def vector(model: TGFR, *lines: str) -> np.ndarray:
    return model.embed(None, [lines]).templates.blocks["description"][0]


def test_it_finds_the_record_that_a_witness_means(tmp_path: Path) -> None:
    train, o = people(), options()
    model = model_of(train, o)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses: list[float] = []
    describe_step(model, train, o, tmp_path, lambda name, step, values: losses.append(values["total"]))
    assert len(losses) == 30
    assert losses[-1] < 0.6 * losses[0]
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    # Everything else stays as it was.
    assert changed == {name for name in before if "description" in name or "looks" in name}
    records = model.embed(None, train.captions[::2]).templates.blocks["description"]
    said = model.embed(None, [own[:2] for own in train.captions[1::2]]).templates.blocks["description"]
    assert ((said @ records.T).argmax(axis=1) == np.arange(64)).mean() > 0.9
    manner = model.embed(None, [own[1:2] for own in train.captions[1::2]]).templates.blocks["description"]
    best = np.argsort(-(manner @ records.T), axis=1)[:, :8]
    assert (best // 8 == np.arange(64)[:, None] // 8).mean() > 0.9  # the eight people of that manner, of any look
    assert abs((said @ records.T)[~np.eye(64, dtype=bool)].mean()) < 0.1  # strangers score about nothing


def test_it_finds_the_faces_that_look_as_a_witness_says(tmp_path: Path) -> None:
    train, o = people(), options()
    model = model_of(train, o)
    describe_step(model, train, o, tmp_path, lambda *_: None)
    pictures = FaceFeatures(*train.features.batch(np.arange(0, 128, 2), 0))
    faces = model.embed(pictures, [()] * 64).templates.blocks["looks"]
    for look, word in enumerate(LOOKS):
        best = np.argsort(-(faces @ vector(model, f"a {word} person")))[:8]
        assert set(best % 8) == {look}
    # Of the manner a face shows nothing, and nothing is made up.
    told = faces @ np.stack([vector(model, f"a {word} person") for word in MANNERS]).T
    assert np.ptp(told, axis=0).max() < np.ptp(faces @ vector(model, "a black person"))


def test_the_face_on_record_is_of_the_picture_whose_lines_are() -> None:
    train = people()
    captions = [(f"line of picture {i}", f"another of picture {i}") for i in range(128)]
    told = TrainSet(train.features, train.subjects, captions)
    batches = [batch for n in range(20) for batch in epoch_batches(told, NO_FURTHER, 32, np.random.default_rng(n))]
    for batch in batches:
        assert batch.rows is not None
        for row, said, record, subject in zip(batch.rows, batch.said, batch.record, batch.subjects, strict=True):
            assert {line.split()[-1] for line in record} == {str(row)}
            assert {line.split()[-1] for line in said} == {str(row ^ 1)}  # the person's other picture
            assert subject == row // 2
    views = np.concatenate([batch.views for batch in batches])
    assert (views == 0).mean() == pytest.approx(UNDEGRADED + (1 - UNDEGRADED) / 3, abs=0.03)
    assert set(views) == {0, 1, 2}


def test_a_state_of_another_architecture_is_told(tmp_path: Path) -> None:
    train, o = people(), options(epochs=1)
    describe_step(model_of(train, o), train, o, tmp_path, lambda *_: None)
    wider = dataclasses.replace(o, model=dataclasses.replace(o.model, description_dim=8))
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        describe_step(model_of(train, wider), train, wider, tmp_path, lambda *_: None)


def test_killed_and_resumed_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, o = people(), options(epochs=3)
    whole = model_of(train, o)
    describe_step(whole, train, o, tmp_path / "whole", lambda *_: None)

    real = RunState.save

    def save_and_die(self: RunState, epoch: int, extra: dict[str, float]) -> None:
        real(self, epoch, extra)
        raise KeyboardInterrupt

    again = model_of(train, o)
    with monkeypatch.context() as context:
        context.setattr(RunState, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            describe_step(again, train, o, tmp_path / "killed", lambda *_: None)
    resumed = model_of(train, o)
    describe_step(resumed, train, o, tmp_path / "killed", lambda *_: None)
    finished = model_of(train, o)
    describe_step(finished, train, o, tmp_path / "killed", lambda *_: None)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
        assert torch.equal(tensor, finished.state_dict()[name]), name


def test_people_with_one_image_take_no_part(tmp_path: Path) -> None:
    train, o = people(), options(epochs=1)
    lonely = TrainSet(train.features, np.concatenate([np.arange(64) // 2, 32 + np.arange(64)]), train.captions)
    describe_step(model_of(lonely, o), lonely, o, tmp_path, lambda *_: None)  # all of a batch may be alone


def test_one_sentence_for_everybody_says_nothing(tmp_path: Path) -> None:
    train, o = people(), options("constant", epochs=1)
    losses: list[float] = []
    describe_step(model_of(train, o), train, o, tmp_path, lambda name, step, values: losses.append(values["total"]))
    assert np.isfinite(losses).all()


def test_further_descriptions_teach_words_that_the_training_set_lacks(tmp_path: Path) -> None:
    """Manners are named in another language by the further table only."""
    train, o = people(), options()
    other = [f"{word}ish" for word in MANNERS]
    rows = [
        {
            "subject_id": str(i // 2),
            "image": b"not opened",
            "file": f"{i}.jpg",
            "captions": [f"somebody {other[i // 16]}", MANNERS[i // 16]],
        }
        for i in range(128)
    ]
    pq.write_table(
        pa.table({**{key: [row[key] for row in rows] for key in rows[0]}, "split": ["train"] * 128}),
        tmp_path / "more.parquet",
    )
    train = TrainSet(train.features, train.subjects, train.captions, tuple(str(i) for i in range(64)))
    further = Descriptions.read([str(tmp_path / "more.parquet")], "train", train.subject_ids)
    assert further.subjects.tolist() == train.subjects.tolist()
    told = model_of(TrainSet(train.features, train.subjects, [*train.captions, *further.captions]), o)
    describe_step(told, train, o, tmp_path / "told", lambda *_: None, further=further)
    same, another = vector(told, "a kind person"), vector(told, "a loud person")
    spoken = vector(told, "somebody kindish")
    assert spoken @ same > spoken @ another + 0.1


def test_further_subjects_that_the_training_set_lacks_are_others(tmp_path: Path) -> None:
    pq.write_table(
        pa.table(
            {
                "subject_id": ["b", "new", "a"],
                "image": [b"not opened"] * 3,
                "file": ["1.jpg", "2.jpg", "3.jpg"],
                "captions": [["l"], [" "], ["m", "n"]],
                "split": ["train"] * 3,
            }
        ),
        tmp_path / "more.parquet",
    )
    further = Descriptions.read([str(tmp_path / "more.parquet")], "train", ("a", "b"))
    assert further.subjects.tolist() == [1, 0]
    assert further.captions == [("l",), ("m", "n")]


def test_a_batch_that_is_never_full_is_told(tmp_path: Path) -> None:
    train, o = people(), dataclasses.replace(options(), describe=DescribeOptions(epochs=1, batch=65))
    with pytest.raises(OptionsError, match=r"describe\.batch.*65 subjects a batch, 64 subjects"):
        describe_step(model_of(train, o), train, o, tmp_path, lambda *_: None)


def test_further_descriptions_that_are_not_there_are_told(tmp_path: Path) -> None:
    table = {"subject_id": ["a"], "image": [b"not opened"], "file": ["1.jpg"], "captions": [["l"]], "split": ["valid"]}
    pq.write_table(pa.table(table), tmp_path / "more.parquet")
    with pytest.raises(InputError, match=r"more\.parquet"):
        Descriptions.read([str(tmp_path / "more.parquet")], "train", ())
    with pytest.raises(InputError, match=r"none\.parquet"):
        Descriptions.read([str(tmp_path / "none.parquet")], "train", ())
