"""What the README and the model card say was measured is what the result files say."""

import pytest

from benchmarks.readme import CARD, README, filled, read


@pytest.mark.parametrize("path", [README, CARD], ids=lambda path: path.name)
def test_numbers_come_from_the_result_files(path) -> None:
    assert path.read_text(encoding="utf-8") == filled(path), "run `make results`"


@pytest.mark.parametrize("name", ["lfw", "mmceleba", "encode_speed", "query_latency"])
def test_the_shipped_model_is_the_one_that_was_measured(name: str) -> None:
    from tgfr_search.model.checkpoint import find_model, read_config

    result = read(name)
    assert result is not None
    shipped = read_config(find_model())["model_id"]
    measured = result["systems"]["default"]["model_id"] if name == "mmceleba" else result["model_id"]
    assert measured == shipped
