"""Encoders by name. One line adds one; a name that is not here lists those that are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder, is_bilstm
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.encoders.text import TransformerTextEncoder, find_text_model
from tgfr_search.errors import InputError

FACE_ENCODERS: dict[str, Callable[..., FaceEncoder]] = {"dlib-resnet": DlibFaceEncoder}


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively (AMX, AVX-512 BF16, recent CUDA), else float32.

    The face net is two to three times as fast by it on such a CPU (`benchmarks/encode_speed.py`).
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # torch has no public names for them
    native = device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
    return torch.bfloat16 if native else torch.float32


def make_face_encoder(name: str, device: torch.device, dtype: torch.dtype, *, flip: bool, regions: str) -> FaceEncoder:
    """A frozen face encoder.

    Raises:
        InputError: No such name.
        MissingPartError: Its weights are not installed.
    """
    if name not in FACE_ENCODERS:
        raise InputError(f"face encoder {name!r}", expected=f"one of: {', '.join(FACE_ENCODERS)}")
    return FACE_ENCODERS[name](device, dtype, flip=flip, regions=regions)


def make_text_encoder(name: str, captions: Iterable[str] | None = None) -> nn.Module:
    """A trainable text encoder in float32 on the CPU, by name or folder.

    Args:
        name: `bilstm`, the name of an installed model, or a folder.
        captions: What a fresh `bilstm` takes its vocabulary from.

    Raises:
        InputError: Neither a known name nor a text encoder's folder.
        MissingPartError: The package that carries it is not installed.
    """
    if name == "bilstm":
        if captions is None:
            raise InputError("text encoder 'bilstm'", found="no captions", expected="training captions: their words")
        return BiLSTMTextEncoder.for_captions(captions)
    folder = find_text_model(name)
    return BiLSTMTextEncoder.load(folder) if is_bilstm(folder) else TransformerTextEncoder.load(folder)
