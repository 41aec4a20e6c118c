"""Torch in a process that was forked: imported, for its effect, by whatever runs a network here."""

from __future__ import annotations

import os
import sys


def _alone_in_child() -> None:
    # OpenMP's threads do not live on in a child: a network on several would wait for them for ever.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


os.register_at_fork(after_in_child=_alone_in_child)
