"""The predicted quality of a probe against what it should follow: the quality ladder, and what the face vector lost.

    python -m benchmarks.accuracy.quality [--shared ../shared] [--cache runs/features] [--model NAME]

On the test split of MM-CelebA-HQ: Spearman's correlation of level and prediction over all pictures of all levels, and
the mean absolute error against the cosine of degraded and original frozen vectors (both less their mean over the
undegraded faces of this split), which is what the prediction was trained to tell.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from benchmarks.results import write_result
from pipelines.measure.data import BenchOptions
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import make_system
from tgfr_search.app.cli.console import stages
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.evaluation.interval import LEVEL
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.model.checkpoint import load_model
from tgfr_search.types import FloatArray

SEED = 0
RESAMPLES = 200
BATCH = 256


def main() -> None:
    """Measures and writes benchmarks/results/quality.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/features"))
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    finder = model.find_with()
    options = BenchOptions(arguments.shared / "data/mmceleba_hq.parquet", split="test", seed=SEED)
    with stages() as progress:
        side = load_data(options, [make_system("default", model)], arguments.cache, finder, None, progress).probes
    features = side.features[model.face_encoder.spec.weights_key]
    dim = model.face_encoder.spec.parts[0][1]
    predicted, vectors = [], []
    for level in LADDER:
        view = side.view(level)
        quality, vector = [], []
        for start in range(0, len(side), BATCH):
            faces = features.batch(side.order[start : start + BATCH], view)
            quality.append(
                model.tgfr.quality(model.tgfr.read(FaceFeatures(*(x.to(model.tgfr.device) for x in faces))))
                .cpu()
                .numpy()
            )
            vector.append(faces.global_[:, :dim])
        predicted.append(np.concatenate(quality))
        vectors.append(np.concatenate([v.numpy() for v in vector]))
    mean = vectors[0].mean(axis=0)
    lost = [_cosine(one - mean, vectors[0] - mean) for one in vectors]
    owners = np.unique(side.subjects, return_inverse=True)[1]
    weights = subject_weights(int(owners.max()) + 1, SEED, RESAMPLES)
    at = np.arange(len(side))
    drawn = [_spearman(predicted, np.repeat(at, own[owners].astype(int))) for own in weights]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    values = {
        "model_id": model.model_id,
        "seed": SEED,
        "images": len(side),
        "spearman_of_level_and_prediction": {
            "value": round(_spearman(predicted, at), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
        },
        "levels": {
            level: {
                "predicted_mean": round(float(p.mean()), 4),
                "predicted_sd": round(float(p.std()), 4),
                "cosine_mean": round(float(c.mean()), 4),
                "mean_absolute_error": round(float(np.abs(p - c.clip(0, 1)).mean()), 4),
            }
            for level, p, c in zip(LADDER, predicted, lost, strict=True)
        },
    }
    print(write_result("quality", values))
    print(values)


def _cosine(a: FloatArray, b: FloatArray) -> FloatArray:
    out: FloatArray = F.cosine_similarity(torch.from_numpy(a), torch.from_numpy(b), dim=1).numpy()
    return out


def _spearman(predicted: list[FloatArray], rows: npt.NDArray[np.int64]) -> float:
    """Of how good the level is (best first in the ladder) and what was predicted."""
    levels = np.concatenate([np.full(len(rows), -number) for number in range(len(predicted))])
    return float(spearmanr(levels, np.concatenate([one[rows] for one in predicted])).statistic)


if __name__ == "__main__":
    main()
