"""Tensors out of a checkpoint file, with nothing in it executed.

`torch.load(weights_only=True)` does this for a file of tensors and plain values. A Lightning checkpoint also pickles
callbacks and hyper-parameters of classes that it refuses, and with them the whole file. For such a file the pickle is
read a second time by an unpickler that knows tensors, dictionaries and nothing else: every other class or function that
the file names becomes an empty placeholder, and calling it makes another.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tgfr_search.errors import CheckpointError

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Placeholder:
    """Whatever the file names that is no tensor: takes every pickle instruction and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Placeholder:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...

    def add(self, item: Any) -> None: ...


class _Dict(dict[Any, Any]):
    """Stands for OrderedDict: the attributes that a pickle would set on it (torch's `_metadata`) are left out."""

    def __setstate__(self, state: Any) -> None: ...


@dataclass(frozen=True)
class _Storage:
    dtype: torch.dtype
    key: str


@dataclass(frozen=True)
class _Lazy:
    """A tensor that the pickle describes; its bytes are read only if it is asked for."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Lazy:
    whole = (offset, *size, *stride)
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in whole):
        raise pickle.UnpicklingError("a tensor without storage or with impossible dimensions")
    return _Lazy(storage, offset, tuple(size), tuple(stride))


class _InertUnpickler(pickle.Unpickler):
    """Knows the four names of a pickled state dict; nothing is ever imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *args: _tensor(*args)  # a new one each time: a pickle may write on what it is given
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        if module == "torch" and name in STORAGES:
            return type(name, (_Placeholder,), {"dtype": STORAGES[name]})
        return type("Placeholder", (_Placeholder,), {})

    def persistent_load(self, pid: Any) -> Any:
        # torch's own: ("storage", type, key of the file inside the zip, device, number of elements)
        kind, storage_type, key = pid[:3]
        if kind != "storage" or not isinstance(getattr(storage_type, "dtype", None), torch.dtype):
            return _Placeholder()
        return _Storage(storage_type.dtype, str(key))


def _read_inert(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        # `<folder>/data.pkl` with `<folder>/data/<key>` beside it; the folder has the name the file had when written.
        folders = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("data.pkl")]
        if len(folders) != 1:
            raise pickle.UnpicklingError(f"{len(folders)} files data.pkl in the archive")
        folder = folders[0]
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise pickle.UnpicklingError("big-endian numbers")
        loaded = _InertUnpickler(io.BytesIO(archive.read(f"{folder}data.pkl"))).load()
        out = {}
        for name, lazy in _state_dict(loaded).items():
            if isinstance(lazy, _Lazy):
                raw = bytearray(archive.read(f"{folder}data/{lazy.storage.key}"))
                flat = torch.frombuffer(raw, dtype=lazy.storage.dtype) if raw else torch.empty(0)
                # as_strided checks that every element lies inside the storage
                out[name] = flat.as_strided(lazy.size, lazy.stride, lazy.offset).clone()
            else:
                out[name] = lazy
        return out


def _state_dict(loaded: Any) -> Mapping[str, Any]:
    inner = dict.get(loaded, "state_dict", loaded) if isinstance(loaded, dict) else loaded
    return cast(Mapping[str, Any], inner) if isinstance(inner, dict) else {}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a checkpoint: the file's own, or what it keeps under `state_dict`.

    Args:
        path: A file of torch.save, or `.safetensors`.

    Returns:
        Name → tensor, on the CPU, as stored.

    Raises:
        CheckpointError: The file is not there, damaged, or holds something else than tensors under their names.
    """
    expected = "a torch or safetensors file with a state dict"
    if not path.is_file():
        raise CheckpointError(f"{path}", found="no such file", expected=expected)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        try:
            state = _state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except pickle.UnpicklingError:
            state = _read_inert(path)
    except (OSError, EOFError, SafetensorError, zipfile.BadZipFile, *_DAMAGE) as error:
        raise CheckpointError(f"{path}", found=_line(error), expected=expected) from error
    odd = [f"{name!r}: {type(value).__name__}" for name, value in state.items() if not _is_weight(name, value)]
    if odd or not state:
        raise CheckpointError(f"{path}", found=_line_of(odd) or "no state dict", expected=expected)
    return dict(state)


_DAMAGE = (pickle.UnpicklingError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What reading a pickle that is no checkpoint, or a damaged one, ends in."""


def _is_weight(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _line_of(odd: Iterable[str]) -> str:
    return ", ".join(list(odd)[:6])
