"""Twenty searches at once in one case, killed at random moments. `make soak` makes it five hundred kills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TGFR_SEARCH_KILLS", "4"))
SEED = int(os.environ.get("TGFR_SEED", "0"))
CHILD = Path(__file__).with_name("kills_child.py")


def test_searches_killed_at_random_moments(index: Path, demo: Path) -> None:
    """No answer without an entry, no log that does not verify, nothing lost."""
    probe = next((demo / "gallery/person0001").glob("*.png"))
    # In memory where there is such a disk: a kill does not care, and they need not wait for thousands of syncs.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, str(CHILD), folder, str(index), str(probe), str(KILLS), str(SEED)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-4000:]
    print(run.stdout)
    told = json.loads(run.stdout)
    assert told["kills"] == KILLS
    assert told["answered"] >= KILLS / 2, "the kills fell into work that got through now and then"
    assert told["logged"] >= told["answered"]
    if KILLS >= 100:
        assert told["logged"] > told["answered"], "and into searches that were logged and not answered yet"
