"""Encoders by name: those that come with the package, another package's, those a user has added, and paths.

Another face encoder is a file of its own and an entry of `BASES`, or an entry point of `tgfr_search.face_encoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path

import torch
from torch import nn

from tgfr_search.encoders.adapted import BASES, AdaptedFaceEncoder, base_of, is_adapted
from tgfr_search.encoders.added import added, find_card, load_face_encoder, read_card
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder, is_bilstm
from tgfr_search.encoders.iresnet import REGIONS
from tgfr_search.encoders.joint import JointFaceEncoder, is_joint, place_of, read_joint
from tgfr_search.encoders.late_text import LateTextEncoder, told_dim
from tgfr_search.encoders.onnx_face import RECIPES
from tgfr_search.encoders.text import TransformerTextEncoder
from tgfr_search.encoders.text_files import find_text_model
from tgfr_search.errors import InputError
from tgfr_search.shipped import WEIGHTS

DLIB = "dlib-resnet"
GROUP = "tgfr_search.face_encoders"
"""Entry points of other packages: name → (what makes it, its regional maps), as in `BASES`."""
SHIPPED_ADAPTED = {"sface-2021+adapted": WEIGHTS / "sface-adapted"}
"""Adapted encoders that come with the package."""


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively (AMX, AVX-512 BF16, recent CUDA), else float32.

    The face net is two to three times as fast by it on such a CPU (`benchmarks/speed/encode_speed.py`).
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # torch has no public names for them
    native = device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
    return torch.bfloat16 if native else torch.float32


def of_other_packages() -> list[str]:
    """Names of the face encoders that other installed packages bring."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} - BASES.keys())


def _base(name: str) -> tuple[Callable[..., FaceEncoder], dict[str, int]] | None:
    """What makes an encoder that is neither adapted nor added, and its maps; None where there is none of that name."""
    if name in BASES:
        return BASES[name]
    found: list[tuple[Callable[..., FaceEncoder], dict[str, int]]]
    found = [entry.load() for entry in entry_points(group=GROUP) if entry.name == name]
    return found[0] if found else None


def make_face_encoder(name: str, device: torch.device, dtype: torch.dtype, *, flip: bool, regions: str) -> FaceEncoder:
    """A frozen face encoder.

    Args:
        name: `dlib-resnet`, `sface-2021`, `sface-2021+adapted`, the folder of an adapted encoder or of a joint one, the
            name of an added one, or the path of its card or weights.
        device: Where it runs.
        dtype: Of its arithmetic.
        flip: Average over the mirrored face.
        regions: Which regional map it gives, as `256x14x14`; most encoders have one.

    Raises:
        InputError: No such encoder, or it has no such map.
        MissingPartError: Its weights, or what runs them, are not installed.
        CheckpointError: Its weights are damaged.
    """
    folder = SHIPPED_ADAPTED.get(name, Path(name))
    if is_joint(folder):

        def member(encoder: str, read: bool, mirrored: bool) -> FaceEncoder:
            own = regions if read else default_regions(encoder)
            return make_face_encoder(encoder, device, dtype, flip=flip and mirrored, regions=own)

        return JointFaceEncoder(folder, member, device)
    adapted = is_adapted(folder)
    base = base_of(folder) if adapted else name
    if (known := _base(base)) is not None:
        make, maps = known
        if regions not in maps:
            raise InputError(f"regions {regions!r}", expected=f"of {base}: {' or '.join(maps)}")
        if adapted:
            return AdaptedFaceEncoder(folder, device, dtype, flip=flip, regions=regions)
        return make(device, dtype, flip=flip, regions=regions)
    card = find_card(name)
    if card is None:
        names = [
            *BASES,
            *of_other_packages(),
            *SHIPPED_ADAPTED,
            *(card.name for card in added() if card.kind == "face"),
        ]
        official = Path(name).is_file()
        raise InputError(
            f"face encoder {name!r}",
            found="a file that was not added" if official else "neither a name nor an added file",
            expected=f"one of: {', '.join(names)}",
            do=f"tgfr-search model add NAME --from {name if official else 'FILE'}; tgfr-search model list shows all",
        )
    encoder = load_face_encoder(card, device, dtype, flip=flip)
    its = "x".join(map(str, encoder.spec.regions))
    if regions != its:
        raise InputError(f"regions {regions!r}", expected=f"of {encoder.spec.name}: {its}")
    return encoder


def default_regions(name: str) -> str:
    """The regional map of a face encoder, the first where it has several."""
    folder = SHIPPED_ADAPTED.get(name, Path(name))
    if is_joint(folder):
        joint = read_joint(folder)
        return default_regions(place_of(folder, joint.members[joint.regions_of].encoder))
    base = base_of(folder) if is_adapted(folder) else name
    if (known := _base(base)) is not None:
        return next(iter(known[1]))
    card = find_card(name)
    arch = read_card(card).arch if card else ""
    if arch in RECIPES:
        return f"{RECIPES[arch].dim}x1x1"
    return "x".join(map(str, REGIONS)) if card else next(iter(BASES[DLIB][1]))


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


def late_text_encoder(folder: Path) -> nn.Module:
    """The text encoder of a trained model, for inference: read when the first words come, where that saves anything.

    Raises:
        InputError: Not a text encoder's folder, or a damaged one; of what only its library can tell, when it is read.
    """
    dim = None if is_bilstm(folder) else told_dim(folder)
    return make_text_encoder(str(folder)) if dim is None else LateTextEncoder(folder, dim, TransformerTextEncoder.load)
