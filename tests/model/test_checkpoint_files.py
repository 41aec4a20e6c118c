"""Checkpoint folders that are not whole: each is told by its file, none loads as something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.models import FAST_MODEL
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.model.blocks import TERMS
from tgfr_search.model.checkpoint import WEIGHTS, load_model, read_config, shipped

SHIPPED = WEIGHTS / FAST_MODEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped model as a folder of links, each of which a test may replace by a file."""
    for path in (each for each in SHIPPED.rglob("*") if each.is_file()):
        link = tmp_path / path.relative_to(SHIPPED)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return tmp_path


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda config: [], "found: list"),
        (lambda config: {}, "found: format None"),
        (lambda config: {k: v for k, v in config.items() if k not in ("model", "scoring")}, "found: no model, scoring"),
        (lambda config: {**config, "text": ""}, "found: no text"),
    ],
)
def test_a_config_of_another_thing(folder: Path, change: Callable[[Any], Any], found: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    replace(folder / "config.json", json.dumps(change(config)).encode())
    with pytest.raises(CheckpointError, match=rf"config\.json; {found}"):
        read_config(folder)


def test_weights_of_another_shape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in sorted(tensors) if tensors[name].ndim == 2)
    (folder / "model.safetensors").unlink()
    save_file({**tensors, name: tensors[name][:-1].contiguous()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"model\.safetensors; found: size mismatch for {name}"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("file", ["model.safetensors", "text/model.safetensors", "face/model.safetensors"])
def test_a_file_that_was_cut_off(folder: Path, file: str) -> None:
    whole = (folder / file).read_bytes()
    replace(folder / file, whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=rf"{file}; found: .*not fully covered"):
        load_model(folder, device="cpu")


def test_a_tokenizer_without_words_is_refused(folder: Path) -> None:
    """Every word would be the unknown one, and every description the same."""
    (folder / "text/tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"text; found: .*no word; is tokenizer\.json missing"):
        load_model(folder, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_is_whole(name: str) -> None:
    model = load_model(name, device="cpu", verify=True)
    assert model.model_id.startswith(f"{name}-")
    blocks = {block for block, _ in model.tgfr.layout}
    terms = [TERMS[term] for weights in model.scoring.weights.values() for term in weights]
    assert {block.name for term in terms for block in (term.probe, term.gallery)} <= blocks
