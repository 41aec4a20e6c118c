"""Reading checkpoints whose pickles hold more than tensors: the tensors come out, nothing in the file is executed."""

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tgfr_search.encoders.inert import read_tensors
from tgfr_search.errors import CheckpointError

STATE = OrderedDict(
    {
        "model.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4),
        "model.turned": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,
        "model.half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "model.count": torch.tensor(7),
        "model.parameter": torch.nn.Parameter(torch.ones(2)),
        "model.empty": torch.empty(0, 3),
    }
)


class Harmful:
    """Pickles as a call: what `load` of an ordinary unpickler would execute."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Classes of a library that is there when the file is written and not when it is read."""
    module = types.ModuleType("pytorch_lightning_fake")
    exec(  # classes must be found under their module's name to be pickled
        "class AttributeDict(dict): pass\n"
        "class ModelCheckpoint:\n"
        "    def __init__(self): self.best = {'score': 0.9}\n"
        "class Logger:\n"
        "    def __reduce__(self): return (Logger, (), {'a': 1}, iter([1, 2]), iter([('k', 'v')]))\n"
        "    def append(self, item): pass\n"
        "    def __setitem__(self, key, value): pass\n",
        module.__dict__,
    )
    for name in ("AttributeDict", "ModelCheckpoint", "Logger"):
        getattr(module, name).__module__ = module.__name__
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


def same(found: dict[str, Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in STATE.items()
    )


def test_a_plain_state_dict(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "backbone.pth")
    assert same(read_tensors(tmp_path / "backbone.pth"))


def test_a_lightning_file_with_callbacks(tmp_path: Path, lightning: Any) -> None:
    path = tmp_path / "adaface.ckpt"
    torch.save(
        {
            "epoch": 25,
            "pytorch-lightning_version": "1.4.4",
            "state_dict": STATE,
            "callbacks": {lightning.ModelCheckpoint: {"best_model_score": torch.tensor(0.9)}},
            "loops": [lightning.ModelCheckpoint(), lightning.Logger(), defaultdict(list, {"a": [1]}), {1, 2}],
            "hyper_parameters": lightning.AttributeDict(arch="ir_18", lr=np.float64(0.1), path=Path("/data")),
        },
        path,
    )
    del sys.modules[lightning.__name__]
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    assert same(read_tensors(path))
    assert lightning.__name__ not in sys.modules


def test_nothing_in_a_hostile_file_is_executed(tmp_path: Path) -> None:
    path, trace = tmp_path / "hostile.ckpt", tmp_path / "executed"
    harm = [
        Harmful(os.system, f"touch {trace}"),
        Harmful(eval, f"__import__('pathlib').Path({str(trace)!r}).touch()"),
        Harmful(exec, f"__import__('pathlib').Path({str(trace)!r}).touch()"),
        Harmful(getattr, Harmful(__import__, "pathlib"), "Path"),
    ]
    torch.save({"state_dict": STATE, "callbacks": harm, "hyper_parameters": {"x": harm}}, path)
    assert same(read_tensors(path))
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the file does bite
    assert trace.exists()


def test_a_hostile_value_among_the_weights_is_named(tmp_path: Path) -> None:
    path, trace = tmp_path / "hostile.pth", tmp_path / "executed"
    torch.save({**STATE, "model.evil": Harmful(os.system, f"touch {trace}")}, path)
    with pytest.raises(CheckpointError, match=r"hostile\.pth.*'model\.evil'"):
        read_tensors(path)
    assert not trace.exists()


def forged(path: Path, content: bytes, storage: bytes = b"\0" * 16) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", storage)
        archive.writestr("archive/version", b"3\n")  # without it torch does not come as far as the pickle
    return path


def rebuilt(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """A pickle of {"evil": print, "w": a tensor of any dimensions over a storage of four float32}."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if value == "the storage" else None

    class Rebuilt:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor_v2, ("the storage", offset, size, stride, False, OrderedDict())

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"evil": print, "w": Rebuilt()})
    return buffer.getvalue()


def test_a_tensor_that_reaches_past_its_storage_is_refused(tmp_path: Path) -> None:
    inside = forged(tmp_path / "inside.pth", rebuilt((2, 2), (2, 1)))
    with pytest.raises(CheckpointError, match="'evil'"):  # the tensor itself is in order
        read_tensors(inside)
    for number, (size, stride, offset) in enumerate(
        [((5,), (1,), 0), ((2,), (4,), 0), ((1,), (1,), 9), ((2,), (-1,), 3)]
    ):
        path = forged(tmp_path / f"{number}.pth", rebuilt(size, stride, offset))
        with pytest.raises(CheckpointError) as caught:
            read_tensors(path)
        assert "'evil'" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        b"\x80\x02(K\x01K\x02R.",  # calls the number 1
        b"\x80\x02(X\x01\x00\x00\x00aX\x01\x00\x00\x00btQ.",  # a storage that is none
        b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02tR.",
        b"ccollections\nOrderedDict\n}X\x05\x00\x00\x00itemsK\x01sb.",  # writes on the class
        b"\x80\x02]K\x01a.",
    ],
)
def test_a_pickle_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"odd\.pth.*expected: a torch or safetensors file"):
        read_tensors(forged(tmp_path / "odd.pth", content))


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.pth").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 9)
    torch.save(STATE, tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:700])
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("picture.pth", "empty.pth", "cut.safetensors", "cut.pth", "list.pth", "none.pth"):
        with pytest.raises(CheckpointError, match=name):
            read_tensors(tmp_path / name)
