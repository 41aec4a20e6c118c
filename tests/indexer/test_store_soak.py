"""Kills at random moments, one after another, of an index that lives on. `make soak` makes it a thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_store_crash import CHILD

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TGFR_KILLS", "80"))
SEED = int(os.environ.get("TGFR_SEED", "0"))


def test_killed_at_random_moments() -> None:
    # In memory where there is such a disk: a kill does not care, and they need not wait for thousands of syncs.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        script = CHILD.with_name("soak_child.py")
        command = [sys.executable, str(script), f"{folder}/index", str(KILLS), str(SEED)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    print(run.stdout)
    told = json.loads(run.stdout)
    assert told["kills"] == KILLS
    # The kills really fell into the work: some changes got through, some were cut off, some left things lying about.
    assert told["changes"] > KILLS / 10
    assert told["begun_and_undone"] > 0
    assert told["left"] > 0
