"""Exact search by PyTorch, on a CPU or a CUDA device that needs no faiss-gpu: matrix products in chunks, then top-k."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from indexer.backends import make_backend
from indexer.backends.base import BackendFactory, Source
from indexer.errors import MissingDeviceError
from indexer.rows import IdArray
from tgfr_search.types import FloatArray

TORCH_BACKEND = "torch"
_SCORES_AT_ONCE = 1 << 24
_ROWS_AT_ONCE = 1 << 16
_HALF = 2.0**-11


class TorchBackend:
    """All rows on one device, in float32 or half precision (see `indexer.backends.base.Backend`).

    In half precision rows, queries and scores are each rounded, by 2^-11 of their size at most; products are added in
    float32. The bound that follows lets the ranks be proven as exact as in float32.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, …
        half: Half precision; None is yes on a CUDA device.

    Raises:
        MissingDeviceError: There is no such device; the CPU never steps in.
    """

    name = TORCH_BACKEND
    overfetch = 1

    def __init__(self, device: str = "cpu", half: bool | None = None) -> None:
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise MissingDeviceError(
                f"search backend {TORCH_BACKEND!r} on {device!r}",
                found=reason,
                expected="a device that PyTorch can use",
                do="check nvidia-smi and the build of PyTorch, or search on --device cpu",
            ) from error
        self._half = self._device.type == "cuda" if half is None else half
        self.slack: float | None = 0.0

    def build(self, source: Source) -> None:
        """See `Backend.build`."""
        self._ids = source.ids
        if not self._half:
            self._rows = torch.from_numpy(source.vectors).to(self._device)
            return
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        self._rows = torch.empty(source.vectors.shape, dtype=torch.float16, device=self._device)
        longest = 0.0
        for start in range(0, len(source.ids), _ROWS_AT_ONCE):
            part = source.vectors[start : start + _ROWS_AT_ONCE]
            self._rows[start : start + len(part)] = torch.from_numpy(part).to(self._device)
            longest = max(longest, float(np.linalg.norm(part.astype(np.float64), axis=1).max()))
        # Row, query and score once each, the products of the errors, and components below the smallest normal number.
        self.slack = longest * (3.1 * _HALF) + 2.0**-24 * source.vectors.shape[1] ** 0.5 * (longest + 1.0)

    def search(self, queries: FloatArray, k: int) -> tuple[IdArray, FloatArray]:
        """See `Backend.search`."""
        norms = np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        scale = norms if self._half else np.ones_like(norms)  # half precision ends at 65,504
        asked = torch.from_numpy(queries / scale).to(self._device, self._rows.dtype)
        best = torch.empty((len(queries), 0), dtype=self._rows.dtype, device=self._device)
        rows = torch.empty((len(queries), 0), dtype=torch.int64, device=self._device)
        step = max(k, _SCORES_AT_ONCE // len(queries))
        for start in range(0, len(self._rows), step):
            fresh = asked @ self._rows[start : start + step].T
            top, places = fresh.topk(min(k, fresh.shape[1]), dim=1, sorted=False)
            best, rows = torch.cat([best, top], 1), torch.cat([rows, places + start], 1)
            if best.shape[1] > k:
                best, kept = best.topk(k, dim=1, sorted=False)
                rows = rows.gather(1, kept)
        best, order = best.sort(dim=1, descending=True)
        scores = best.float().cpu().numpy() * scale
        return self._ids[rows.gather(1, order).cpu().numpy()], scores.astype(np.float32)


def backend_named(name: str, device: str = "auto") -> str | BackendFactory:
    """What `Store.open` takes for a name of the command line: `torch` besides those of `indexer.backends`.

    Args:
        name: The backend.
        device: Where `torch` searches; `auto` is the first CUDA device, or the CPU where there is none.

    Raises:
        IndexerError: There is no such backend, or it cannot run here; told now, not with the first search.
    """
    if name != TORCH_BACKEND:
        make_backend(name)
        return name
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return partial(TorchBackend, device)
