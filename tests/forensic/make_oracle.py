"""Writes `oracle.json`: values of `lir` 1.3.1, the last for Python 3.11, which the tests hold ours against.

    python -m venv /tmp/lir && /tmp/lir/bin/pip install lir==1.3.1 && /tmp/lir/bin/python tests/forensic/make_oracle.py

`lir` brings optuna, SQLAlchemy, alembic and half a gigabyte along, so the tests read its numbers and never install it.
The scores lie on a grid of 1/64, exact in JSON and with ties, beside 0: where the PAV curve touches the identity in one
of its own points, `lir` counts an area as negative (its devPAV of such data is too small), and ours does not.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lir.algorithms.bayeserror import elub
from lir.data.models import LLRData
from lir.metrics import cllr, cllr_min
from lir.metrics.devpav import devpav

CASES = {  # name: (genuine mean, sd, number; impostor mean, sd, number; seed)
    "overlapping": (1.0, 1.0, 200, -1.0, 1.0, 300, 1),
    "nearly apart": (1.6, 0.8, 120, -1.6, 0.8, 400, 6),
    "apart": (2.5, 0.8, 120, -2.5, 0.8, 400, 2),
    "overconfident": (3.0, 3.0, 150, -3.0, 3.0, 150, 3),
    "useless": (0.0, 0.5, 100, 0.0, 0.5, 100, 4),
    "misleading": (-0.5, 1.0, 80, 0.5, 1.0, 90, 5),
}

if __name__ == "__main__":
    out = {"lir": version("lir"), "cases": []}
    for name, (m1, s1, n1, m0, s0, n0, seed) in CASES.items():
        rng = np.random.default_rng(seed)
        own = np.round(rng.normal(m1, s1, n1) * 64 + 0.25) / 64
        other = np.round(rng.normal(m0, s0, n0) * 64 + 0.25) / 64
        llrs, y = np.concatenate([own, other]), np.concatenate([np.ones(n1, int), np.zeros(n0, int)])
        data = LLRData(features=llrs.reshape(-1, 1), labels=y)
        low, high = elub(llrs.copy(), y)
        values = {
            "cllr": cllr(data), "cllr_min": cllr_min(data), "devpav": float(devpav(llrs, y)),
            "elub": [float(low), float(high)],
        }  # fmt: skip
        out["cases"].append({"name": name, "genuine": own.tolist(), "impostor": other.tolist(), **values})
    Path(__file__).with_name("oracle.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
