"""What a training step leaves behind after each epoch, so that a run that was killed goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tgfr_search.errors import CheckpointError
from tgfr_search.files import replacing


class RunState:
    """The complete state of a step after an epoch: parameters, optimiser, best validation value. No pickle.

    Args:
        folder: Where it is kept; one file, replaced whole.
        module: Everything that has trained parameters or buffers.
        optimiser: Its moments are part of the state.
    """

    def __init__(self, folder: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self.path = folder / "state.safetensors"
        self.module, self.optimiser = module, optimiser
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, epoch: int, extra: dict[str, Any]) -> None:
        """Writes the state after `epoch` epochs."""
        tensors = {f"module/{name}": tensor.detach().contiguous() for name, tensor in self.module.state_dict().items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            for name, value in slots.items():
                if value is not None:
                    tensors[f"optimiser/{index}/{name}"] = torch.as_tensor(value).clone(
                        memory_format=torch.contiguous_format
                    )
        with replacing(self.path) as temporary:
            save_file(tensors, temporary, {"epoch": str(epoch), "extra": json.dumps(extra)})

    def refuse_another(self, run: dict[str, Any]) -> None:
        """Compares what a run is made from with what the state's `extra["run"]` says, before anything is loaded.

        Args:
            run: Plain values, by the names that a person knows them by.

        Raises:
            CheckpointError: The state is of another run; the message names what differs.
        """
        if not self.path.is_file():
            return
        with safe_open(self.path, framework="pt") as file:
            told = json.loads(file.metadata()["extra"]).get("run", {})
        differ = [name for name, value in run.items() if told.get(name) != value]
        if differ:
            raise CheckpointError(
                f"{self.path}",
                found=f"the state of a run with another {', another '.join(differ)}",
                expected=f"the same {', '.join(run)}",
                do="take another --out, or give what this run was begun with",
            )

    def load(self) -> tuple[int, dict[str, Any]]:
        """Restores the state; returns (epochs done, extra), or (0, {}) where there is none.

        Raises:
            CheckpointError: It is of another architecture.
        """
        if not self.path.is_file():
            return 0, {}
        tensors = load_file(self.path)
        with safe_open(self.path, framework="pt") as file:
            meta = file.metadata()
        state = {name.removeprefix("module/"): t for name, t in tensors.items() if name.startswith("module/")}
        try:
            self.module.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.path}",
                found=str(error).splitlines()[-1].strip(),
                expected="a state of the run's own architecture",
                do="take another --out: this run was begun with other options or another version",
            ) from error
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimiser/"):
                _, index, name = key.split("/")
                slots.setdefault(int(index), {})[name] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})
        return int(meta["epoch"]), json.loads(meta["extra"])
