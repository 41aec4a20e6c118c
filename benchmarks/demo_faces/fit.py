"""Fit the shipped demo face model.

`python -m benchmarks.demo_faces.fit --data ../shared/data/mmceleba_hq.parquet --out model.safetensors`

Hours on one core, seeded. What comes out are a decoder and second-order statistics of its latent codes, no picture.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from benchmarks.demo_faces.data import CONDITIONS, load_faces
from benchmarks.demo_faces.net import export
from benchmarks.demo_faces.statistics import MOMENTARY, attribute_chain, encode, scatter_of, symmetric_root
from benchmarks.demo_faces.training import PHASES, Trainer, grown
from tgfr_search.data.synthetic import MODEL_FILE, MODEL_FORMAT

HIDDEN = ("big_lips", "gray_hair", "oval_face", "straight_hair", "wavy_hair", "wearing_hat", "wearing_necklace")
"""What a linear probe finds in fewer than 70 % of the drawn faces (balanced; `demo_faces_quality.py`)."""
VISIBLE: tuple[str, ...] = tuple(name for name in CONDITIONS if name not in HIDDEN)
EMPHASIS = 1.25
IDENTITY, VIEW, POSE = 1.6, 0.45, 0.5
"""How much people, views of one person, and poses differ, relative to the train faces."""


def save_model(path: Path, trainer: Trainer) -> None:
    """Statistics and decoder → the shipped file, half precision."""
    order, tensors = attribute_chain(trainer.faces.attributes)
    scatter = scatter_of(*encode(trainer.encoder, trainer.faces), trainer.faces.subjects)
    tensors |= {"mean": scatter.mean, "condition_mean": scatter.condition_mean, "guide": scatter.guide}
    tensors["identity"] = IDENTITY * symmetric_root(scatter.between)
    tensors["view"] = VIEW * symmetric_root(scatter.within)
    tensors["emphasis"] = np.array([EMPHASIS] * len(CONDITIONS) + [1.0, 1.0], np.float32)  # pose as it is
    tensors["pose"] = POSE * trainer.faces.pose.std(axis=0)
    tensors |= {name: value.numpy() for name, value in export(trainer.average).items()}
    lists = {"conditions": CONDITIONS, "drawn": order, "momentary": MOMENTARY, "visible": VISIBLE}
    about = {"format": MODEL_FORMAT, **{name: json.dumps(value) for name, value in lists.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value, np.float16) for name, value in tensors.items()}, path, about)
    path.chmod(0o644)  # safetensors writes for the owner alone


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="mmceleba_hq.parquet")
    parser.add_argument("--out", type=Path, default=MODEL_FILE, help="model file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="length of the training; 0.001 tries the script out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    faces = load_faces(options.data)
    print(f"{len(faces.pixels)} faces of {len(np.unique(faces.subjects))} people", flush=True)
    trainer, begun = Trainer(faces, faces.frame, options.seed), time.monotonic()

    def report(seen: int, state: Trainer) -> None:
        losses = "  ".join(f"{name} {value:.4f}" for name, value in state.losses.items())
        print(f"{seen:>8} images  {time.monotonic() - begun:6.0f} s  {losses}", flush=True)
        save_model(options.out, state)

    trainer.run(grown(PHASES, options.scale), report)
    save_model(options.out, trainer)


if __name__ == "__main__":
    main()
