"""The torch backend is held to the exact one, in float32 and in half precision."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.backends.base import Source
from indexer.backends.exact import ExactBackend
from indexer.contract import Block, Contract
from indexer.errors import IndexerError, MissingDeviceError
from indexer.ranking import Ranker
from pipelines.search.torch_search import TorchBackend, backend_named
from tgfr_search.types import FloatArray

CONTRACT = Contract((Block("face", 96),), {})


def unit(vectors: np.ndarray) -> FloatArray:
    out: FloatArray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return out


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("count", [1, 40, 2500])
def test_ranks_are_those_of_exact_search(half: bool, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.search.torch_search._SCORES_AT_ONCE", 1000)  # several chunks
    rng = np.random.default_rng(count)
    vectors = unit(rng.standard_normal((count, 96)) + 2.0)
    vectors[count // 2 :] = vectors[: count - count // 2]  # duplicates
    ids = np.arange(count) * 3 + 1
    source = Source(vectors, ids, CONTRACT)
    backend = TorchBackend("cpu", half)
    ranker, exact = Ranker(backend, source, 1.0001), Ranker(ExactBackend(), source, 1.0001)
    queries = np.vstack([130.0 * vectors[:1], 1e-3 * rng.standard_normal((6, 96)), np.zeros((1, 96))]).astype(
        np.float32
    )
    for k in (1, 10, count + 1):
        for found, expected in zip(ranker.rows(queries, k), exact.rows(queries, k), strict=True):
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])
    assert backend.slack is not None
    proposed, scores = backend.search(queries, count)
    for query, row, told in zip(queries.astype(np.float64), proposed, scores, strict=True):
        true = vectors[(row - 1) // 3].astype(np.float64) @ query
        assert np.abs(told - true).max() <= np.linalg.norm(query) * (backend.slack + 96 * 2.0**-24) + 1e-30


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(MissingDeviceError, match="'torch' on 'cuda:77'"):
        TorchBackend("cuda:77")
    factory = backend_named("torch", "cpu")
    assert not isinstance(factory, str)
    assert factory().name == "torch"
    assert backend_named("scan@0.9") == "scan@0.9"
    with pytest.raises(IndexerError, match="'nothing'"):
        backend_named("nothing")
