"""What the scores of a search are worth: the calibration in force, and what it belongs to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipelines.enrol.index import contract_of
from tgfr_search.forensic.calibration import Binding, Calibration, read_calibration
from tgfr_search.model.checkpoint import FaceTextModel

FILE = "calibration.json"
"""In the folder of a model: the calibration that comes with it."""


def binding_of(model: FaceTextModel, detector: str) -> Binding:
    """What a calibration of a model's scores belongs to: its contract with an index, and its score weights.

    Args:
        model: Whose scores.
        detector: That finds the faces.
    """
    contract = contract_of(model, detector)
    told = {"fields": dict(contract.fields), "scoring": model.scoring.as_dict()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Binding(digest, model.model_id)


def calibration_of(model: FaceTextModel, path: Path | None = None) -> Calibration | None:
    """The calibration at `path`, or the one that comes with the model; None where it has none.

    Raises:
        InputError: The file is no calibration.
    """
    if path is not None:
        return read_calibration(path)
    shipped = model.folder / FILE
    return read_calibration(shipped) if shipped.is_file() else None
