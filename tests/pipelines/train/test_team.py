"""Gradient accumulation, float16 and several processes: each gives the weights it should."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from team_child import data, model_of, options, run
from torch import Tensor, nn

from pipelines.train.team import Team
from pipelines.train.updates import Updater
from tgfr_search.data.datasets import training_batches
from tgfr_search.encoders.tiny import save_text_model
from tgfr_search.errors import MissingPartError

ROOT = Path(__file__).resolve().parents[3]
ALONE = Team(torch.device("cpu"))


def change(state: dict[str, Tensor], start: dict[str, Tensor], parameters: set[str]) -> Tensor:
    """What training did to the parameters, as one vector."""
    return torch.cat([(state[name].float() - start[name].float()).flatten() for name in sorted(parameters)])


def test_two_processes_do_what_one_does_by_accumulating(tmp_path: Path) -> None:
    """torchrun, gloo, DistributedDataParallel: half of the batches in each process, the same mean of gradients."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        environment.pop(name, None)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    child = [str(Path(__file__).parent / "team_child.py"), str(tmp_path), "1"]
    done = subprocess.run([*launch, *child], env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2))
    for rank, made in enumerate(("led", "found")):
        with safe_open(tmp_path / f"rank{rank}.safetensors", "pt") as file:
            assert file.metadata() == {"size": "2", "made": made}
    # Each process has the running means of its own batches of step 3; those of the first are written.
    own = {"centre_description", "centre_looks"}
    assert all(torch.equal(first[name], second[name]) for name in first if name not in own)

    alone = run(tmp_path / "alone", options(accumulate=2), ALONE)
    start = model_of(data(), options(1)).state_dict()
    # Weights alone: batch norm's running means, which the child holds still, are those of a process's own batches.
    names = {name for name, _ in alone.named_parameters()}
    described = {name for name in names if name.startswith(("description.", "looks."))}
    assert change(first, start, described).norm() > 0.1  # step 3 has no accumulation to be compared with
    parameters = names - described
    one, other = (change(state, start, parameters) for state in (first, alone.state_dict()))
    assert one.norm() > 0.5
    assert (one - other).norm() < 1e-5 * one.norm()
    longer = run(tmp_path / "single", options(accumulate=1), ALONE).state_dict()
    assert (change(longer, start, parameters) - one).norm() > 0.1 * one.norm()  # the comparison can tell


def test_batches_are_dealt_to_processes_and_cut_to_whole_steps() -> None:
    train = data()

    def rows(share: tuple[int, int], multiple: int) -> list[list[int]]:
        rng = np.random.default_rng(3)
        batches = training_batches(
            train.features, train.subjects, train.captions, 4, rng, share=share, multiple=multiple
        )
        return [batch.rows.tolist() for batch in batches]

    every = rows((0, 1), 1)
    assert len(every) >= 5
    assert rows((0, 2), 2) == every[0 : len(every) // 2 * 2 : 2]
    assert rows((1, 2), 2) == every[1 : len(every) // 2 * 2 : 2]
    assert rows((0, 1), 4) == every[:4]
    assert rows((1, 2), 4) == every[1:4:2]


class Line(nn.Module):
    """w · x, whose gradient is x."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"total": (self.w * x).sum()}


def updater(line: Line, accumulate: int, clip: float = 100.0, dtype: torch.dtype = torch.float32) -> Updater:
    return Updater(line, torch.optim.SGD(line.parameters(), lr=1.0), ALONE, accumulate, clip, dtype)


def test_a_step_takes_the_mean_of_its_batches_and_clips_it() -> None:
    line = Line()
    updater(line, 2)((torch.tensor(x),) for x in ([1.0, 0.0], [3.0, 8.0]))
    assert line.w.tolist() == [-2.0, -4.0]
    line = Line()
    updater(line, 2, clip=5.0)((torch.tensor(x),) for x in ([6.0, 8.0], [6.0, 8.0]))  # the mean's norm is 10
    assert torch.allclose(line.w, torch.tensor([-3.0, -4.0]), atol=1e-5)


def test_float16_scales_gradients_and_skips_a_step_that_overflows() -> None:
    line = Line()
    update = updater(line, 1, dtype=torch.float16)
    scale = update.scaler.get_scale()
    assert scale > 1
    update([(torch.tensor([1.0, 2.0]),)])
    assert line.w.tolist() == [-1.0, -2.0]  # the scale is taken out again before clipping and stepping
    update([(torch.tensor([1e38, 1.0]),)])  # times the scale it is infinite
    assert line.w.tolist() == [-1.0, -2.0]
    assert update.scaler.get_scale() == scale / 2
    plain = updater(Line(), 1, dtype=torch.bfloat16)
    assert not plain.scaler.is_enabled()


def test_float16_training_keeps_its_scale_over_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_text_model(tmp_path / "bert", "bert")
    half, float32 = (options(1, precision, str(tmp_path / "bert")) for precision in ("float16", "float32"))
    whole = run(tmp_path / "whole", half, ALONE).state_dict()
    start = model_of(data(), float32).state_dict()
    assert all(tensor.isfinite().all() for tensor in whole.values())
    full = run(tmp_path / "full", float32, ALONE)
    parameters = {name for name, _ in full.named_parameters()}
    one, other = (change(state, start, parameters) for state in (whole, full.state_dict()))
    assert 0 < (one - other).norm() < 0.2 * other.norm()

    real, saves = Updater.__call__, 0

    def die_late(self: Updater, inputs: object) -> dict[str, Tensor]:
        nonlocal saves
        saves += 1
        if saves == 9:  # in the second epoch of step 1
            raise KeyboardInterrupt
        return real(self, inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(Updater, "__call__", die_late)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", half, ALONE)
    with safe_open(tmp_path / "killed/align/state.safetensors", "pt") as file:
        assert json.loads(file.metadata()["extra"])["scaler"]["_growth_tracker"] == 6
    again = run(tmp_path / "killed", half, ALONE).state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_several_processes_without_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MissingPartError, match=r"2 processes: accelerate.*pip install 'tgfr-search\[train\]'"):
        Team.join("cpu")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert Team.join("cpu") == ALONE
