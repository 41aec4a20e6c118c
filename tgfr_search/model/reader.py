"""Reads all lines that describe one image as one set of words (not in the paper, which reads one line).

Averaging the vectors of several lines blurs what each of them says. Here every word raises some of C things that can be
said of a face, a set of lines says whatever any of its words says, and one vector is made of that. How many lines there
are is known too: what none of ten lines mentions is probably not so, what one line leaves out means little.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DescriptionReader(nn.Module):
    """Words of a set of lines into one unit vector.

    Args:
        words: Dimension of a word.
        outputs: Of the vector.
        concepts: C.
        hidden: Width of the layer between.
    """

    def __init__(self, words: int, outputs: int, concepts: int = 192, hidden: int = 384) -> None:
        super().__init__()
        self.concepts = nn.Linear(words, concepts)
        self.linear = nn.Linear(concepts + 1, outputs)
        self.adapter = nn.Sequential(nn.Linear(concepts + 1, hidden), nn.GELU(), nn.Linear(hidden, outputs))

    def forward(self, words: Tensor, owner: Tensor, lines: Tensor) -> Tensor:
        """Makes one vector of every set.

        Args:
            words: W of all lines, [M, D], without padding.
            owner: int64 [M], the set that each word belongs to.
            lines: float [N], how many lines each set has.

        Returns:
            [N, outputs], unit norm; zero for a set without lines.
        """
        order = owner.argsort(stable=True)
        lengths = owner.bincount(minlength=len(lines))
        raised = F.relu(self.concepts(words[order]))
        said = torch.segment_reduce(raised, "max", lengths=lengths, axis=0, initial=0.0)
        x = torch.cat([said, lines.clamp_min(1).log()[:, None]], dim=1)
        return F.normalize(self.linear(x) + self.adapter(x), dim=1) * (lines > 0)[:, None]
