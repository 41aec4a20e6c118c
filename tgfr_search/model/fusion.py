"""The fusion module that a model has, by name."""

from __future__ import annotations

from torch import nn

from tgfr_search.errors import OptionsError
from tgfr_search.model.baselines import CFAM, FLF
from tgfr_search.model.fcfm import FCFM
from tgfr_search.options import ModelOptions


def make_fusion(options: ModelOptions) -> nn.Module:
    """The fusion module that the options name.

    Raises:
        OptionsError: No such fusion.
    """
    if options.fusion == "fcfm":
        return FCFM(options.fused_dim, options.heads, options.dropout)
    if options.fusion == "flf":
        return FLF(options.fused_dim)
    if options.fusion == "cgfr":
        return CFAM(options.fused_dim, options.heads, options.dropout)
    raise OptionsError(f"fusion {options.fusion!r}", expected="fcfm, flf or cgfr")
