"""Searching a published index from the command line: the same answer as on disk, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from indexer import Store
from indexer.errors import MilvusError
from pipelines.search.gallery import Gallery
from pipelines.search.open_store import open_searched
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_same_candidates_with_and_without_the_directory(
    index: Path, demo: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    uri = str(tmp_path / "milvus.db")
    report = run("publish", index, "--milvus-uri", uri)
    assert report["added"] == report["rows"] == len(Store.open(index))
    probe, where = next((demo / "probes").glob("*")), "male = true"
    local = Gallery.open(index, model=model, backend="exact")
    for path in (index, tmp_path / "nothing-here"):
        served = Gallery.open(path, model=model, backend=f"milvus:{uri}")
        for options in ({}, {"where": where}, {"mode": "image", "aggregate": "mean"}):
            answers = [each.query(probe, caption="a man with a beard", **options) for each in (local, served)]  # type: ignore[arg-type]
            assert answers[1].candidates == answers[0].candidates
            assert answers[1].index_id == answers[0].index_id
        served.store.close()  # type: ignore[union-attr]
    told = run("query", probe, "--index", index, "--backend", "milvus", "--milvus-uri", uri)
    assert [each["subject_id"] for each in told["candidates"]] == [
        each.subject_id for each in local.query(probe).candidates
    ]


def test_a_collection_that_is_behind_the_index(index: Path, tmp_path: Path) -> None:
    uri = str(tmp_path / "milvus.db")
    run("publish", index, "--milvus-uri", uri)
    run("delete", "--row", 0, "--index", index)
    with pytest.raises(MilvusError, match=r"at generation \d+; .*what to do: tgfr-search publish"):
        open_searched(index, "milvus", milvus_uri=uri)
    assert run("publish", index, "--milvus-uri", uri)["removed"] == 1
    store = open_searched(index, "milvus", milvus_uri=uri)
    assert len(store) == len(Store.open(index))


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no address"):
        open_searched(tmp_path, "milvus")
    with pytest.raises(InputError, match="--backend flat"):
        open_searched(tmp_path, "flat", milvus_uri="http://127.0.0.1:1")
    assert CliRunner().invoke(app, ["publish", str(tmp_path)]).exit_code != 0
