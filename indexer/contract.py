"""What an index was built with, and what a query must be built with to be comparable."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import ContractMismatchError, IndexerError

METRIC = "inner_product"
_BLOCK_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Block:
    """One named part of a template.

    Attributes:
        name: Lower-case identifier, for instance `face`.
        dim: Number of float32 components.
    """

    name: str
    dim: int


@dataclass(frozen=True)
class Contract:
    """The promise that keeps vectors comparable: an index refuses whoever comes with another one.

    Attributes:
        blocks: Names and dimensions in the order of concatenation.
        fields: What the vectors were made with, name → value: model, encoders, alignment, preprocessing, checksums.
        metric: How two vectors are compared; `inner_product` is the only one.
        assumed: Field → its value in an index that was made before the field was written. Not stored, not compared.

    Raises:
        IndexerError: A name, dimension, field or metric is not usable.
    """

    blocks: tuple[Block, ...]
    fields: Mapping[str, str]
    metric: str = METRIC
    assumed: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        names = [block.name for block in self.blocks]
        for block in self.blocks:
            if not _BLOCK_NAME.fullmatch(block.name):
                raise IndexerError("block name", found=repr(block.name), expected="lower-case letters, digits and _")
            if not (isinstance(block.dim, int) and block.dim >= 1):
                raise IndexerError(f"dimension of block {block.name!r}", found=repr(block.dim), expected="1 or more")
        if not names or len(set(names)) != len(names):
            raise IndexerError("blocks of the contract", found=repr(names), expected="one or more, no name twice")
        for name, value in self.fields.items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise IndexerError(f"contract field {name!r}", found=repr(value), expected="text")
        if self.metric != METRIC:
            raise IndexerError("metric of the contract", found=repr(self.metric), expected=repr(METRIC))

    @property
    def space_id(self) -> str:
        """A name for the space of these vectors, the same in every index: eight hex digits of a digest."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:8]

    @property
    def model(self) -> str:
        """Id of the model that makes these vectors; empty where the fields do not say."""
        return self.fields.get("model") or self.fields.get("model_id", "")

    @property
    def dim(self) -> int:
        """Components of the concatenation of all blocks."""
        return sum(block.dim for block in self.blocks)

    @property
    def slices(self) -> dict[str, slice]:
        """Where each block lies in the concatenation: name → slice of the last axis."""
        slices, start = {}, 0
        for block in self.blocks:
            slices[block.name] = slice(start, start + block.dim)
            start += block.dim
        return slices

    def split(self, vectors: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Cut concatenated vectors into their blocks, without a copy.

        Args:
            vectors: float32 [..., D_total].

        Returns:
            Name → view, float32 [..., D_block].
        """
        return {name: vectors[..., where] for name, where in self.slices.items()}

    def as_dict(self) -> dict[str, Any]:
        """The contract as plain JSON values."""
        return {
            "blocks": [[block.name, block.dim] for block in self.blocks],
            "fields": dict(self.fields),
            "metric": self.metric,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Contract:
        """The contract that `as_dict` told."""
        blocks = tuple(Block(name, dim) for name, dim in values["blocks"])
        return cls(blocks, dict(values["fields"]), values["metric"])

    def accepts(self, wanted: Contract) -> bool:
        """Whether vectors made by `wanted` may be compared with those of this contract, the index's own."""
        return not self._differences(wanted)

    def require(self, wanted: Contract, index: str) -> None:
        """Refuse a contract that differs from this one, the index's own.

        Args:
            wanted: What the caller's vectors are made with.
            index: Name of the index for the message.

        Raises:
            ContractMismatchError: Names every field that differs, with both values.
        """
        differences = self._differences(wanted)
        if differences:
            raise ContractMismatchError(
                f"{index}: the index differs in {', '.join(differences)}",
                found=", ".join(f"{name} = {ours!r}" for name, (ours, _) in differences.items()),
                expected=", ".join(f"{name} = {theirs!r}" for name, (_, theirs) in differences.items()),
                do="use the model and settings the index was built with, or add these by `tgfr-search space add`",
            )

    def _differences(self, wanted: Contract) -> dict[str, tuple[str, str]]:
        ours, theirs = {**wanted.assumed, **_flat(self)}, _flat(wanted)
        pairs = {name: (ours.get(name, "absent"), theirs.get(name, "absent")) for name in sorted({*ours, *theirs})}
        return {name: (own, other) for name, (own, other) in pairs.items() if own != other}


def _flat(contract: Contract) -> dict[str, str]:
    blocks = ", ".join(f"{block.name}[{block.dim}]" for block in contract.blocks)
    return {**contract.fields, "blocks": blocks, "metric": contract.metric}
