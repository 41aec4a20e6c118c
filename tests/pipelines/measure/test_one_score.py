"""The benchmark's dense path and a search through a store are one score: same figures, same candidates."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import Block, Contract, RowBatch, Store
from pipelines.enrol.index import IndexSummary
from pipelines.measure.cells import Cell, Cells
from pipelines.measure.data import BenchOptions
from pipelines.measure.load import load_data
from pipelines.measure.systems.names import KINDS, make_system
from pipelines.search.gallery import Gallery
from tgfr_search.evaluation.intervals import subject_weights
from tgfr_search.evaluation.verification import eer
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import QueryMode

LEVEL = "very_bad"


@pytest.fixture(scope="module")
def cells(demo: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """Probes clean and poor with what a witness said, against the gallery's photos."""
    folder = tmp_path_factory.mktemp("one-score")
    options = BenchOptions(probes=demo / "probes.csv", gallery=demo / "gallery", levels=("normal", LEVEL), resamples=20)
    finder = FaceFinder().for_alignment(model.face_encoder.spec.alignment)
    data = load_data(options, [make_system("default", model)], folder, finder, 0, lambda *_: None)
    return Cells(options, data, subject_weights(data.roles.subject_count, 0, 20), folder / "cells")


def store_of(path: Path, cells: Cells, rows: np.ndarray, layout: tuple[tuple[str, int], ...]) -> Store:
    """An index of the benchmark's own gallery vectors."""
    contract, side, at = Contract(tuple(Block(*each) for each in layout), {"model": "x"}), cells.data.templates, 0
    blocks = {}
    for name, dim in layout:
        blocks[name] = np.ascontiguousarray(rows[:, at : at + dim])
        at += dim
    store, nothing = Store.create(path, contract), [{}] * len(rows)
    with store.writer() as writer:
        digests = [side.sha256(row) for row in range(len(side))]
        none: list[bytes | None] = [None] * len(rows)
        columns: dict[str, Any] = {"subject_ids": side.subjects, "images": side.names, "captions": side.captions}
        columns |= {"image_sha256s": digests, "source_keys": side.names, "metadata": nothing, "quality": nothing}
        writer.add(RowBatch(blocks=blocks, chips=none, **columns))
        writer.commit()
    return store


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("frozen-dlib", "searched")])
def test_figures_are_those_of_a_search_through_a_store(
    cells: Cells, model: FaceTextModel, tmp_path: Path, name: str
) -> None:
    system = make_system(name, model)
    cell = Cell(system, LEVEL, system.regimes(("own",))[0])
    probes, rows = cells.vectors(cell)
    roles, side = cells.data.roles, cells.data.templates
    layout = model.tgfr.layout if system.trained else model.tgfr.layout[:1]
    store = store_of(tmp_path / "index", cells, rows[:, :-1], layout)
    own = cells.measure(cell).measures

    hits = store.search_subjects(probes.queries, len(side))
    subjects = [side.subjects[at] for at in range(len(side))]
    names = {int(number): subject for number, subject in zip(roles.template_subjects, subjects, strict=True)}
    ranks, genuine, impostor = list[int](), list[float](), list[float]()
    for number, probe in enumerate(roles.searches):
        mate = names[int(roles.probe_subjects[probe])]
        ranks.append(1 + [hit.subject_id for hit in hits[probe]].index(mate))
        assert own.searches.scores[number, 0] == pytest.approx(hits[probe][0].score + probes.offsets[probe], abs=1e-4)
    assert ranks == own.searches.ranks.tolist()
    for k in (1, 5, 10):
        assert own.figures["rank", k].value == np.mean(np.array(ranks) <= k)

    ids, scores = store.search(probes.queries, len(side))
    for probe in range(len(probes)):
        for row, score in zip(ids[probe].tolist(), scores[probe].tolist(), strict=True):
            same = roles.template_subjects[row] == roles.probe_subjects[probe]
            (genuine if same else impostor).append(score + probes.offsets[probe])
    assert (len(genuine), len(impostor)) == (own.counts["n_genuine"], own.counts["n_impostor"])
    # The benchmark's EER is read off a fine grid of thresholds.
    expected = eer(np.array(genuine), np.array(impostor)).value
    assert own.figures["eer", None].value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("name", "mode"), [("default", "auto"), ("caption", "caption")])
def test_the_users_search_scores_and_ranks_as_the_benchmark_does(
    cells: Cells, model: FaceTextModel, demo: Path, enrolled: tuple[Path, IndexSummary], name: str, mode: QueryMode
) -> None:
    measured = cells.measure(Cell(make_system(name, model), "normal", "own")).measures.searches
    said, data = cells.captions("own")[0].probe, cells.data
    gallery = Gallery.open(enrolled[0], model=model)
    asked = [(demo / data.probes.names[at], said[at]) for at in data.roles.searches]
    answers = gallery.query_many(asked, mode=mode, top_k=12)
    for number, (at, answer) in enumerate(zip(data.roles.searches, answers, strict=True)):
        found = {candidate.subject_id: candidate for candidate in answer.candidates}
        own = found[data.probes.subjects[at]]
        assert own.rank == measured.ranks[number]
        # The benchmark encodes faces in full precision, a search in what the machine is fast in.
        assert [answer.candidates[0].score, own.score] == pytest.approx(measured.scores[number].tolist(), abs=0.1)
    assert np.ptp(measured.scores) > 1
