"""Step 3: the reader learns from descriptions, what the face tells already least; killed and resumed it is the same."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines.describe import Descriptions, describe_step
from pipelines.train_steps import RunState, TrainSet
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import DataOptions, DescribeOptions, ModelOptions, TrainOptions

SEEN = ["black", "brown", "blond", "grey", "red", "white", "dark", "light"]
UNSEEN = ["kind", "loud", "tall", "short", "quick", "slow", "calm", "proud"]


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
    """64 people, two images each; the face shows one of eight looks, the lines name it and one of eight manners."""
    rng = np.random.default_rng(0)
    look, manner = np.arange(64) % 8, np.arange(64) // 8
    vectors = np.zeros((128, 3, 2, 12), np.float32)
    vectors[np.arange(128), :, :, np.repeat(look, 2)] = 1
    vectors += rng.normal(scale=0.05, size=vectors.shape).astype(np.float32)
    lines = [
        (f"a {SEEN[look[i // 2]]} person", f"a {UNSEEN[manner[i // 2]]} person", f"{SEEN[look[i // 2]]} hair")
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


def test_what_the_face_shows_moves_the_reader_less_than_what_it_does_not(tmp_path: Path) -> None:
    train, o = people(), options()
    model = model_of(train, o)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses: list[float] = []
    describe_step(model, train, o, tmp_path, lambda name, step, values: losses.append(values["total"]))
    assert len(losses) == 30
    assert losses[-1] < 0.8 * losses[0]  # a witness who names the look alone leaves four people
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith("description.")}  # everything else stays as it was
    one = vector(model, "a black person", "a kind person", "black hair")
    other_look = vector(model, "a red person", "a kind person", "red hair")
    other_manner = vector(model, "a black person", "a loud person", "black hair")
    assert one @ other_manner < one @ other_look - 0.1


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
    other = [f"{word}ish" for word in UNSEEN]
    rows = [
        {
            "subject_id": str(i // 2),
            "image": b"not opened",
            "file": f"{i}.jpg",
            "captions": [f"somebody {other[i // 16]}", UNSEEN[i // 16]],
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
