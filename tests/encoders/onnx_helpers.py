"""Writes a small ONNX file by its wire format: the channel means of a picture times a matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _value(field: int, name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, n) if isinstance(n, int) else _bytes(2, n)) for n in shape)
    return _bytes(field, _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims))))


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return _bytes(
        1, b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(3, kind) + _bytes(4, kind)
    )


def write_onnx(path: Path, matrix: np.ndarray, batch: int | str) -> Path:
    """y [batch, D] = mean over the picture of x [batch, 3, 112, 112] · matrix [3, D]; opset 13."""
    rows, columns = matrix.shape
    weight = _number(1, rows) + _number(1, columns) + _number(2, 1) + _bytes(8, "w")
    graph = (
        _node("GlobalAveragePool", ("x",), "pooled")
        + _node("Flatten", ("pooled",), "flat")
        + _node("MatMul", ("flat", "w"), "y")
        + _bytes(2, "net")
        + _bytes(5, weight + _bytes(9, matrix.astype("<f4").tobytes()))
        + _value(11, "x", (batch, 3, 112, 112))
        + _value(12, "y", (batch, columns))
    )
    path.write_bytes(_number(1, 8) + _bytes(8, _bytes(1, "") + _number(2, 13)) + _bytes(7, graph))
    return path
