"""Fine-tunes SFace on poor pictures of a labelled data set, and writes the adapted half beside its frozen one.

    python -m pipelines.tools.adapt_sface DATA --out FOLDER [--split train] [--steps 1900] [--threads 2]

RetinaFace finds the face of every photo first (FOLDER/found.json); photos without one are left out and counted, in
FOLDER/log.jsonl and on the card. Run it again to go on where it was; with more `--steps` a finished run goes on too,
with other data, options, seed or start it is refused. FOLDER/face is what a configuration's `face_encoder` takes.
`--blend 0.4` writes weights between start and end, .4 of the way: they keep what training forgets, and can be better
than either (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022; docs/experiments.md, 53).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from pipelines.tools.labelled_photos import labelled_photos
from pipelines.train.step0.photos import adapt_photos
from tgfr_search.encoders import sface
from tgfr_search.encoders.adapted import CARD_NAME, AdaptedFaceEncoder, base_of, save_adapted
from tgfr_search.encoders.base import pick_device
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.model.checkpoint import machine
from tgfr_search.options import PhotoAdaptOptions

RECIPE = PhotoAdaptOptions()


def _start(folder: Path | None) -> tuple[sface.SFaceNet, str]:
    """The net that the student begins as, ready to be trained, and what identifies it.

    Raises:
        CheckpointError: It is damaged, or was not made from SFace.
    """
    if folder is None:
        return sface.make_net(), sface.load_weights()[1]
    if (base := base_of(folder)) != sface.NAME:
        raise CheckpointError(f"{folder / CARD_NAME}: base", found=base, expected=sface.NAME)
    encoder = AdaptedFaceEncoder(folder, "cpu", torch.float32, flip=False, regions=next(iter(sface.REGION_MAPS)))
    assert isinstance(encoder.net, sface.SFaceNet)
    return encoder.net.train().requires_grad_(True), encoder.spec.sha256


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default=None, help="part of the data that is trained on")
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--batch", type=int, default=RECIPE.batch, help="subjects a step; each gives two pictures")
    parser.add_argument("--lr", type=float, default=RECIPE.lr, help="peak of the learning rate")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw pictures; 0 draws them in this one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, default=None, help="adapted half that the student begins as")
    parser.add_argument(
        "--blend", type=float, default=1.0, help="share of what was trained in the weights; the rest: start"
    )
    parser.add_argument("--licence", default="not told: ask whoever the data are from")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    given = _arguments(arguments)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    device = pick_device(given.device)
    if not 0 < given.blend <= 1:
        raise InputError("--blend", found=f"{given.blend:g}", expected="above 0, at most 1")
    options = dataclasses.replace(RECIPE, steps=given.steps, batch=given.batch, lr=given.lr)
    given.out.mkdir(parents=True, exist_ok=True)
    lines = given.out / "log.jsonl"

    def log(name: str, step: int, values: dict[str, float]) -> None:
        with lines.open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), "step": name, "at": step, **values}) + "\n")

    left_out: Counter[str] = Counter()
    photos = labelled_photos(given.data, given.split, given.out / "found.json", left_out)
    counts = {"photos": len(photos), "subjects": len(set(photos.subjects.tolist())), "left_out": left_out.total()}
    log("faces", 0, {**counts, **left_out})
    print(", ".join(f"{count:,} {name}" for name, count in {**counts, **left_out}.items()))
    net, start = _start(given.start)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net = adapt_photos(photos, options, given.seed, given.out, log, net, device=device, workers=given.workers)
    net.load_state_dict({name: before[name].lerp(own.cpu(), given.blend) for name, own in net.state_dict().items()})
    provenance = {
        "command": "pipelines.tools.adapt_sface", "options": dataclasses.asdict(options), "seed": given.seed,
        "threads": given.threads, "start": start, "blend": given.blend,
        "data": f"{given.data.name}, split {given.split or 'none'}", "data_digest": photos.digest(),
        "photos": {**counts, "left_out": dict(left_out)}, "licence": given.licence,
        "points": "RetinaFace on the clean photo", "machine": machine(),
    }  # fmt: skip
    save_adapted(given.out / "face", net, sface.load_weights()[1], provenance, sface.NAME)
    print(given.out / "face")


if __name__ == "__main__":
    main()
