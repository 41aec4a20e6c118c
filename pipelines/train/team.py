"""The processes of one training run: one alone, or several that `torchrun` started, joined by Accelerate.

    torchrun --nproc-per-node 4 -m tgfr_search train --config configs/default.toml --out runs/default

Each process takes other batches of an epoch and DistributedDataParallel averages their gradients. The first one alone
makes the caches, judges the epochs and writes; the others wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import nn

from tgfr_search.encoders.base import pick_device
from tgfr_search.errors import MissingPartError

PATIENCE = timedelta(days=2)
"""How long the others wait for the first process: it may have a whole data set to encode."""
INSTALL = "pip install 'tgfr-search[train]'"

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """The processes of a run.

    Attributes:
        device: Of this process.
        rank: Its number, from 0.
        size: How many there are.
        accelerator: Accelerate's; None for a process alone, which needs no Accelerate.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    accelerator: Any = None

    @staticmethod
    def join(device: str = "auto") -> Team:
        """Joins the processes that torchrun started, if it did.

        Args:
            device: `auto`, `cpu`, `cuda`; several processes on CUDA take a device each.

        Raises:
            MissingPartError: There are several, and Accelerate is not installed.
        """
        wanted = pick_device(device)
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return Team(wanted)
        try:
            from accelerate import Accelerator
            from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
        except ImportError as error:
            what = f"{os.environ['WORLD_SIZE']} processes: accelerate"
            raise MissingPartError(what, found="not installed", expected="a package", do=INSTALL) from error
        # Poolers and other parts of a published tower take no part in the loss.
        handlers = [
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ]
        accelerator = Accelerator(cpu=wanted.type == "cpu", kwargs_handlers=handlers)
        return Team(accelerator.device, accelerator.process_index, accelerator.num_processes, accelerator)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose calls average gradients over all processes; its weights are those of the first process."""
        if self.accelerator is None:
            return module
        wrapped: nn.Module = self.accelerator.prepare_model(module)
        return wrapped

    def apart(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Inside, gradients of a wrapped module are summed up in each process alone: more are to come."""
        if self.accelerator is None:
            return nullcontext()
        context: AbstractContextManager[Any] = self.accelerator.no_sync(module)
        return context

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def first_then_all(self, work: Callable[[], T]) -> T:
        """Work that leaves a cache behind: the first process does it, then the others find it done."""
        if not self.leads:
            self.wait()
        result = work()
        if self.leads:
            self.wait()
        return result
