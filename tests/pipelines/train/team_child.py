"""The training steps on made-up features; run by `torchrun` or alone, it writes the weights they end with."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from pipelines.train.step3.step import describe_step
from pipelines.train.steps import TrainSet, align_step, fuse_step
from pipelines.train.team import Team
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.encoders.bilstm import BiLSTMTextEncoder
from tgfr_search.encoders.text import TransformerTextEncoder
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import (
    AlignOptions,
    DataOptions,
    DescribeOptions,
    FuseOptions,
    LossOptions,
    ModelOptions,
    TrainOptions,
)

WORDS = ["a", "man", "with", "black", "hair", "and", "a", "hat", "she", "smiles"]
LOOKS = itertools.count()
"""What the epochs are judged by: it rises over all runs, so that the last epoch is kept, of a resumed run too."""


def options(accumulate: int, precision: str = "float32", text: str = "bilstm") -> TrainOptions:
    return TrainOptions(
        name="team",
        device="cpu",
        precision=precision,
        data=DataOptions(path="none"),
        model=ModelOptions(text_encoder=text, fused_dim=16, dropout=0.0, description_dim=8),
        loss=LossOptions(identity=1.0),
        align=AlignOptions(epochs=2, batch=4, accumulate=accumulate, text_lr=1e-3),
        fuse=FuseOptions(epochs=2, batch=8, accumulate=accumulate, lr=0.01, contrastive=0.5),
        describe=DescribeOptions(epochs=2, batch=4),
    )


def data() -> TrainSet:
    """26 faces of 13 subjects: six batches of four, so that the last one of an odd share is left over."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(26, 2, 2, 12)).astype(np.float32)
    regions = rng.normal(size=(26, 2, 2, 8, 2, 2)).astype(np.float16)
    captions = [tuple(" ".join(rng.choice(WORDS, 5)) for _ in range(2)) for _ in range(26)]
    return TrainSet(FeatureSet(("original", "bad"), vectors, regions), np.arange(26) // 2, captions)


def model_of(train: TrainSet, o: TrainOptions) -> TGFR:
    torch.manual_seed(0)
    text: BiLSTMTextEncoder | TransformerTextEncoder
    if o.model.text_encoder == "bilstm":
        text = BiLSTMTextEncoder.for_captions(line for own in train.captions for line in own)
    else:
        text = TransformerTextEncoder.load(Path(o.model.text_encoder))
    model = TGFR(text, o.model, parts=(("face", 12),), region_channels=8)
    model.fcam.text_dtype = getattr(torch, o.precision)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            # Each process keeps the running means of its own batches; without them the weights must be the same.
            module.momentum = 0.0
    return model


def run(folder: Path, o: TrainOptions, team: Team) -> TGFR:
    """Trains the paper's two steps."""
    train = data()
    model = model_of(train, o)
    for step, name in ((align_step, "align"), (fuse_step, "fuse")):
        step(model, train, o, folder / name, lambda _: float(next(LOOKS)), lambda *_: None, team)
    return model


def main() -> None:
    folder, accumulate = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    team = Team.join("cpu")
    made = team.first_then_all(lambda: "led" if team.leads else "found")
    o = options(accumulate)
    if team.size > 1 and not team.leads:
        o = dataclasses.replace(o, name="other")
    model = run(folder, o, team)
    describe_step(model, data(), o, folder / "describe", lambda *_: None, team)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / f"rank{team.rank}.safetensors", {"size": str(team.size), "made": made})


if __name__ == "__main__":
    main()
