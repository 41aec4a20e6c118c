"""Speed and memory of training at the paper's sizes with random weights, and whether CPU and GPU agree.

python -m benchmarks.speed.train_speed [--device cuda] [--batch 64] [--steps 20] [--tiny]

AdaFace IR-18 encodes faces (float32 and bfloat16); step 1 trains a BERT-base-sized ALIGN text tower with the paper's
losses over its maps of 256×14×14. On CUDA the embeddings of CPU and GPU are compared too: cosine ≥ 0.9999 in float32,
≥ 0.999 in bfloat16. `--tiny` shrinks the text tower and the batch, to see that it runs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.results import write_result
from pipelines.train.steps import encode_lines
from pipelines.train.team import Team
from pipelines.train.updates import AlignLoss, Updater
from tgfr_search.data.captions import ATTRIBUTES, caption_lines
from tgfr_search.encoders.base import FaceFeatures, pick_device, tensors_sha256
from tgfr_search.encoders.iresnet import ARCHITECTURES, COUNTER, DIM, REGIONS, IResNet, IResNetFaceEncoder
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.encoders.tiny import save_text_model
from tgfr_search.losses.total import FCAMLoss
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import LossOptions, ModelOptions

FACE = "adaface-ir18"
ALIGN_SIZES = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
"""The text tower of kakaobrain/align-base."""
SUBJECTS = 4500
LEAST = {torch.float32: 0.9999, torch.bfloat16: 0.999}
"""Cosine between the embeddings of CPU and GPU."""
WORDS_A_LINE = 12


def rate(device: torch.device, count: int, steps: int, work: Callable[[], object]) -> float:
    """Images a second over `steps` calls, after two that do not count."""
    for _ in range(2):
        work()
    _finish(device)
    start = time.perf_counter()
    for _ in range(steps):
        work()
    _finish(device)
    return count * steps / (time.perf_counter() - start)


def memory_mb(device: torch.device) -> int:
    """Most memory held so far: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    unit = 1024 if sys.platform != "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def face_encoder(device: torch.device, dtype: torch.dtype) -> IResNetFaceEncoder:
    """The network of `FACE`, the same random weights at each call."""
    torch.manual_seed(0)
    state = {name: t for name, t in IResNet(ARCHITECTURES[FACE]).state_dict().items() if COUNTER not in name}
    return IResNetFaceEncoder(FACE, ARCHITECTURES[FACE], state, tensors_sha256(state), device, dtype)


def align_update(device: torch.device, dtype: torch.dtype, batch: int, sizes: dict[str, int]) -> Callable[[], object]:
    """One update of step 1, over made-up features of 2·batch pairs."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        save_text_model(Path(folder), "align", **sizes)
        text = make_text_encoder(folder)
    model = TGFR(text, ModelOptions(), parts=(("face", DIM),), region_channels=REGIONS[0]).to(device)
    model.fcam.text_dtype = dtype
    model.train()
    loss = FCAMLoss(SUBJECTS, LossOptions()).to(device)
    optimiser = torch.optim.AdamW([*model.fcam.parameters(), *loss.parameters()], 1e-5, fused=True)
    update = Updater(AlignLoss(model, loss, encode_lines), optimiser, Team(device), 1, 1.0, dtype)
    faces = FaceFeatures(
        torch.from_numpy(rng.normal(size=(2 * batch, DIM)).astype(np.float32)).to(device),
        torch.from_numpy(rng.normal(size=(2 * batch, *REGIONS)).astype(np.float32)).to(device),
    )
    lines = [
        " ".join(
            caption_lines({a: bool(rng.random() < 0.3) for a in ATTRIBUTES}, lines=1, seed=at)[0].split()[:WORDS_A_LINE]
        )
        for at in range(2 * batch)
    ]
    subjects = torch.arange(batch).repeat(2).to(device)
    return lambda: update([(faces, lines, subjects)])


def agreement(device: torch.device, chips: np.ndarray[Any, Any]) -> dict[str, float]:
    """Least cosine between the CPU's float32 vectors and those of the device, and of its other arithmetic."""
    reference = face_encoder(torch.device("cpu"), torch.float32).encode(chips).global_
    out = {}
    for dtype, least in LEAST.items():
        vectors = face_encoder(device, dtype).encode(chips).global_.cpu()
        found = float(F.cosine_similarity(reference, vectors, dim=1).min())
        name = str(dtype).removeprefix("torch.")
        out[name] = round(found, 6)
        if found < least:
            raise SystemExit(f"{device} {name}: cosine to the CPU's float32 {found:.6f}, expected {least} or more")
    return out


def main() -> None:
    """Measures and writes benchmarks/results/train_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=64, help="subjects of a step; faces are encoded as many at a time")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tiny", action="store_true", help="a small text tower and batch; no result is written")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    batch, steps = (4, 2) if arguments.tiny else (arguments.batch, arguments.steps)
    chips = np.random.default_rng(0).integers(0, 256, (batch, 112, 112, 3), dtype=np.uint8)
    values: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "face": FACE,
        "text": "tiny" if arguments.tiny else "align-base, random weights",
        "batch": batch,
        "cosine_to_cpu_float32": agreement(device, chips),
        "faces_a_second": {},
        "pairs_a_second": {},
        "memory_mb": {},
    }
    for dtype in LEAST:
        name = str(dtype).removeprefix("torch.")
        encoder = face_encoder(device, dtype)
        values["faces_a_second"][name] = round(rate(device, batch, steps, lambda e=encoder: e.encode(chips)), 1)  # type: ignore[misc]
        update = align_update(device, dtype, batch, {} if arguments.tiny else ALIGN_SIZES)
        values["pairs_a_second"][name] = round(rate(device, 2 * batch, steps, update), 1)
        values["memory_mb"][name] = memory_mb(device)
    if not arguments.tiny:
        print(write_result("train_speed", values))
    for name, value in values.items():
        print(f"{name:24} {value}")


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
