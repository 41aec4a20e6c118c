"""What the README and the model card say was measured is what the result files say."""

import copy
from typing import Any

import pytest

from benchmarks.accuracy.carried import carried
from benchmarks.readme import PAGES, filled
from benchmarks.results import read_result

SHIPPED = "tgfr-minilm-sface"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_numbers_come_from_the_result_files(path) -> None:
    assert path.read_text(encoding="utf-8") == filled(path), "run `make results`"


@pytest.mark.parametrize("name", ["lfw", "mmceleba", "model_speed", "query_latency"])
def test_the_shipped_model_is_the_one_that_was_measured(name: str) -> None:
    from tgfr_search.model.checkpoint import WEIGHTS, read_config

    result = read_result(name)
    assert result is not None
    shipped = read_config(WEIGHTS / SHIPPED)["model_id"]
    models = {"mmceleba": ("systems", "default"), "model_speed": ("models", SHIPPED)}
    for key in models.get(name, ()):
        result = result[key]
    measured = result["model_id"]
    assert measured == shipped


def test_what_was_measured_over_a_hundred_thousand_rows() -> None:
    """A second space while the first answers, killed half-way and resumed; and the first search under a filter."""
    space, filtered = read_result("space_speed"), read_result("filter_speed")
    assert space is not None
    assert filtered is not None
    assert space["rows"] == filtered["rows"] == 100_000
    assert space["uninterrupted"]["answers_equal"]
    assert space["killed"]["answers_equal"]
    assert 0 < space["killed"]["rows_at_the_kill"] < 100_000
    assert space["digests_equal"]
    assert all(filtered[let]["first_s"] <= 1.0 for let in ("all rows", "a third", "few"))


def test_an_earlier_row_is_kept_only_where_nothing_it_rests_on_has_changed() -> None:
    earlier = read_result("mmceleba-dlib")
    assert earlier is not None
    assert "cgfr" in earlier["systems"]
    now = copy.deepcopy(earlier)
    now["results"] = [record for record in now["results"] if record["system"] != "cgfr"]
    older = carried(earlier, now, ["cgfr", "never-measured"])
    assert set(older.systems) == {"cgfr"}
    assert older.systems["cgfr"]["model_id"] == earlier["systems"]["cgfr"]["model_id"]
    assert older.results
    assert {record["minus"] for record in older.results} == {None, "frozen"}
    assert carried(None, now, ["cgfr"]).results == []

    def changed(change: Any) -> dict[str, Any]:
        other = copy.deepcopy(now)
        change(other)
        return other

    frozen = next(r for r in now["results"] if r["system"] == "frozen" and r["metric"] == "rank")
    at = now["results"].index(frozen)
    for change in (
        lambda tree: tree["data"].update(data_sha256="another"),
        lambda tree: tree["options"].update(seed=1),
        lambda tree: tree["ladder"]["bad"].update(side=21),
        lambda tree: tree["results"][at].update(value=frozen["value"] + 0.01),
    ):
        assert carried(earlier, changed(change), ["cgfr"]).results == []
