"""Random histories of every change, of compaction, purge and search agree with a model in plain Python."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from index_helpers import CONTRACT, make_batch, plain_search, plain_subjects, random_blocks

from indexer import QuarantineRecord, Store, compact, purge, verify
from indexer.backends import EXACT_BACKENDS

SUBJECTS = st.sampled_from(["anna", "bert", "carl"])
IMAGES = st.sampled_from(["anna/0.jpg", "bert/1.jpg", "x.jpg", "y.jpg"])


class History(RuleBasedStateMachine):
    """The model: rows as a dict, what is gathered as a copy of it that a commit makes the truth."""

    @initialize(backend=st.sampled_from([*EXACT_BACKENDS, "scan", "auto"]))
    def create(self, backend: str) -> None:
        self.backend = backend
        self.path = Path(tempfile.mkdtemp()) / "index"
        self.store = Store.create(self.path, CONTRACT, backend=backend)
        self.rows: dict[int, tuple[str, np.ndarray]] = {}
        self.quarantined: dict[str, str] = {}
        self.next_id = 0
        self.enter()

    def enter(self) -> None:
        self.block = self.store.writer()
        self.writer = self.block.__enter__()
        self.new_rows, self.new_quarantined = dict(self.rows), dict(self.quarantined)
        self.new_id = self.next_id

    @rule(subjects=st.lists(SUBJECTS, max_size=4), seed=st.integers(0, 5), same=st.booleans())
    def add(self, subjects: list[str], seed: int, same: bool) -> None:
        blocks = random_blocks(np.random.default_rng(seed), max(1, len(subjects)))
        if same:  # equal vectors: ties
            blocks = {name: block[:1].repeat(len(subjects), axis=0) for name, block in blocks.items()}
        blocks = {name: block[: len(subjects)] for name, block in blocks.items()}
        batch = make_batch(subjects, blocks)
        ids = self.writer.add(batch)
        assert ids.tolist() == list(range(self.new_id, self.new_id + len(subjects)))
        self.new_id += len(subjects)
        for row_id, subject, vector in zip(ids.tolist(), subjects, np.hstack(list(blocks.values())), strict=True):
            self.new_rows[row_id] = (subject, vector)
        for image in batch.images:
            self.new_quarantined.pop(image, None)

    @precondition(lambda self: self.new_rows)
    @rule(data=st.data())
    def delete_rows(self, data: st.DataObject) -> None:
        ids = data.draw(st.sets(st.sampled_from(sorted(self.new_rows)), min_size=1, max_size=3))
        assert self.writer.delete(row_ids=ids) == len(ids)
        for row_id in ids:
            del self.new_rows[row_id]

    @precondition(lambda self: self.new_rows)
    @rule(data=st.data())
    def delete_subject(self, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from(sorted({subject for subject, _ in self.new_rows.values()})))
        before = len(self.new_rows)
        self.new_rows = {row_id: row for row_id, row in self.new_rows.items() if row[0] != wanted}
        assert self.writer.delete(subject_id=wanted) == before - len(self.new_rows)

    @precondition(lambda self: self.new_rows)
    @rule(data=st.data(), subject=SUBJECTS)
    def update(self, data: st.DataObject, subject: str) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.new_rows)))
        self.writer.update(row_id, subject_id=subject, metadata={"by": subject})
        self.new_rows[row_id] = (subject, self.new_rows[row_id][1])

    @rule(upkeep=st.sampled_from([compact, purge]))
    def keep_in_order(self, upkeep: Callable[[Store], object]) -> None:
        self.leave_and_open_again()
        self.block.__exit__(None, None, None)
        upkeep(self.store)
        self.enter()

    @rule(image=IMAGES, reason=st.sampled_from(["no_face", "io_error"]))
    def quarantine(self, image: str, reason: str) -> None:
        self.writer.quarantine([QuarantineRecord(image, reason, "", "")])
        self.new_quarantined[image] = reason

    @rule()
    def commit(self) -> None:
        changed = self.writer.committed.generation
        assert self.writer.commit() - changed in (0, 1)
        self.rows, self.quarantined = dict(self.new_rows), dict(self.new_quarantined)
        self.next_id = self.new_id

    @rule()
    def leave_and_open_again(self) -> None:
        self.block.__exit__(None, None, None)
        self.store = Store.open(self.path, CONTRACT, backend=self.backend)
        self.enter()

    @invariant()
    def answers_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        store = Store.open(self.path, CONTRACT, backend=self.backend)
        ids = np.array(sorted(self.rows), np.int64)
        vectors = np.array([self.rows[row_id][1] for row_id in ids.tolist()], np.float32).reshape(-1, CONTRACT.dim)
        subjects = [self.rows[row_id][0] for row_id in ids.tolist()]
        query = np.random.default_rng(len(ids)).standard_normal((1, CONTRACT.dim)).astype(np.float32)
        assert len(store) == len(ids)
        np.testing.assert_array_equal(store.vectors(ids), vectors)
        assert [row.subject_id for row in store.rows(ids)] == subjects
        assert {record.image: record.reason for record in store.quarantined()} == self.quarantined
        found_ids, scores = store.search(query, 3)
        found = [hit for hit in zip(found_ids[0].tolist(), scores[0].tolist(), strict=True) if hit[0] >= 0]
        assert found == plain_search(vectors, ids, query[0], 3)
        kept = [i for i, subject in enumerate(subjects) if subject != "bert"]
        found_ids, _ = store.search(query, 3, where="subject_id != 'bert'")
        expected_ids = [row_id for row_id, _ in plain_search(vectors[kept], ids[kept], query[0], 3)]
        assert [row_id for row_id in found_ids[0].tolist() if row_id >= 0] == expected_ids
        for aggregate in ("max", "mean"):
            hits = store.search_subjects(query, 2, aggregate)[0]
            expected = plain_subjects(vectors, ids, subjects, query[0], 2, aggregate)
            assert [(hit.subject_id, hit.row_id, hit.score) for hit in hits] == expected

    def teardown(self) -> None:
        if hasattr(self, "block"):
            self.block.__exit__(None, None, None)
            purge(Store.open(self.path))
            report = verify(self.path)
            assert (report.ok, report.notes) == (True, ()), report
            shutil.rmtree(self.path.parent)


TestHistory = History.TestCase
TestHistory.pytestmark = pytest.mark.slow
TestHistory.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
