"""The text encoder of a trained model is read when words come, and not before."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.models import FAST_MODEL
from tgfr_search.encoders.late_text import LateTextEncoder, told_dim
from tgfr_search.encoders.registry import late_text_encoder, make_text_encoder
from tgfr_search.errors import TgfrError
from tgfr_search.model.checkpoint import WEIGHTS, load_model, read_config

LINES = ["a man with a beard", "She has blond hair and wears earrings."]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The fast model's."""
    path = WEIGHTS / FAST_MODEL
    return path / read_config(path)["text"]


@pytest.mark.slow
def test_a_picture_alone_reads_no_text_encoder() -> None:
    code = f"""
import sys
import numpy as np
from tgfr_search.model.checkpoint import load_model
model = load_model({FAST_MODEL!r})
side = model.face_encoder.spec.input_size
model.embed(np.zeros((1, side, side, 3), np.uint8), [()])
before = "transformers" in sys.modules
model.embed(None, [("a man with a beard",)])
print(before, "transformers" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["False", "True"]


def test_it_says_what_the_encoder_says(folder: Path) -> None:
    late, eager = late_text_encoder(folder), make_text_encoder(str(folder)).eval()
    assert isinstance(late, LateTextEncoder)
    assert list(late.parameters()) == []
    assert late.dim == eager.dim
    ours, its = late(late.tokenize(LINES)), eager(eager.tokenize(LINES))  # type: ignore[operator]
    assert np.array_equal(ours.words.detach().numpy(), its.words.detach().numpy())
    assert not any(parameter.requires_grad for parameter in late.parameters())
    assert not late.read().training


def test_threads_that_come_together_read_it_once(folder: Path) -> None:
    read: list[Path] = []
    start = threading.Barrier(4)

    def load(path: Path) -> nn.Module:
        read.append(path)
        return nn.Linear(2, 2)

    late = LateTextEncoder(folder, 2, load)

    def first() -> None:
        start.wait()
        late.read()

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [folder]


def test_damaged_weights_are_told_at_once(folder: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "text"))
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(TgfrError, match=r"model\.safetensors"):
        late_text_encoder(broken)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_what_is_not_as_usual_is_read_at_once(folder: Path, tmp_path: Path, name: str) -> None:
    for at, content in enumerate((None, "{", "[]")):
        broken = Path(shutil.copytree(folder, tmp_path / str(at)))
        (broken / name).unlink()
        if content is not None:
            (broken / name).write_text(content)
        if name != "model.safetensors" or content is None:
            assert told_dim(broken) is None
        with pytest.raises(TgfrError):
            late_text_encoder(broken)


def test_a_loaded_model_keeps_its_device_and_mode() -> None:
    model = load_model(FAST_MODEL)
    model.ready()
    text = model.tgfr.fcam.text
    assert isinstance(text, LateTextEncoder)
    assert text.read() is text.read()
    assert not any(module.training for module in text.modules())
