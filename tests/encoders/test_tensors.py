"""Files of weights that are not what their name says, and devices that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from tgfr_search.encoders.base import pick_device
from tgfr_search.encoders.tensors import first_mismatch, read_tensors
from tgfr_search.errors import CheckpointError, InputError

WHOLE = save({"a": torch.ones(64), "n": torch.arange(3)})


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(WHOLE)
    tensors = read_tensors(tmp_path / "w.safetensors")
    assert tensors["a"].sum() == 64
    assert tensors["n"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (WHOLE[:5], "header too small"),
        (WHOLE[:-8], "not fully covered"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (None, "no such file"),
    ],
)
def test_another_thing_under_this_name(tmp_path: Path, data: bytes | None, found: str) -> None:
    path = tmp_path / "w.safetensors"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"w\.safetensors; found: .*{found}.*; expected: a safetensors file"):
        read_tensors(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    save_file({"a": torch.ones(3), "b": torch.tensor([1.0, value]).half()}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="found: NaN or infinity in b"):
        read_tensors(tmp_path / "w.safetensors")


def test_the_tensor_that_does_not_fit_is_named() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(4, 2), "bias": torch.zeros(3)})
    assert first_mismatch(caught.value).startswith("size mismatch for weight")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:77", "mps:9", "meta", "cpu:x"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError, match=rf"device '{name}'; found: .*expected: auto, cpu, or cuda.*--device"):
        pick_device(name)


def test_devices_that_are_there() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device().type in ("cpu", "cuda")
