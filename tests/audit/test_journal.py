"""Flows that are handed a journal: told before it is answered, in commitments; a log that refuses stops the act."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_helpers import small_log

from tgfr_search.audit.entries import Act, commitment
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.journal import LogJournal, change, result_bytes, search_entry
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import LOG, check_log
from tgfr_search.types import QueryResult, SearchHit

SECRETS = [
    "Erika Mustermann",
    "a scar over the left eye",
    "holiday/IMG_2041.jpg",
    "name = 'Heidi'",
    "fraud at the bank",
]


def answer() -> QueryResult:
    hit = SearchHit(1, SECRETS[0], 7, 1.25, {"face": 1.25}, SECRETS[2], SECRETS[1])
    probe = {"sha256": "ab" * 32, "quality": None, "faces": 1}
    return QueryResult((hit,), probe, "fused", {}, 0.0, "model-1", "index-1@3", {}, where=SECRETS[3])


def test_a_search_is_told_without_a_word_of_it(tmp_path: Path) -> None:
    log = small_log(tmp_path, 0)
    journal = LogJournal(log, b"k" * 32, "examiner-1", "examiner", "c-1", purpose=SECRETS[4], basis="§ 98c StPO")
    entry = search_entry(journal, answer(), lines=(SECRETS[1],), started="2026-01-01", list_length=10, rows=100)
    assert journal.record(entry) == 1
    told = dict(read_entries(tmp_path))[1]
    data = (tmp_path / LOG).read_text()
    assert not [secret for secret in [*SECRETS, "§", "StPO", "ab" * 32] if secret in data]
    assert told["probe_hmac"] == commitment(b"k" * 32, "ab" * 32)
    assert told["words_hmac"] == [commitment(b"k" * 32, SECRETS[1])]
    assert told["filters_hmac"] == commitment(b"k" * 32, SECRETS[3])
    assert told["purpose_hmac"] == commitment(b"k" * 32, SECRETS[4])
    assert told["result_hmac"] == commitment(b"k" * 32, result_bytes(answer()))
    assert told["index"] == {"id": "index-1", "generation": 3, "rows": 100}
    assert (told["candidates"], told["actor"], told["case"]) == ([{"row": 7}], "examiner-1", "c-1")
    assert json.loads(result_bytes(answer())) == json.loads(json.dumps(answer().as_dict()))


def test_a_change_is_told_before_and_after(tmp_path: Path) -> None:
    journal = LogJournal.without_case(tmp_path)
    assert LogJournal.without_case(tmp_path).key == journal.key
    with change(journal, Act.DELETE, {"id": "i"}) as told:
        assert [entry["details"] for _, entry in read_entries(tmp_path) if "details" in entry] == [{"phase": "begun"}]
        told["rows"] = 3
    with pytest.raises(KeyError), change(journal, Act.PURGE, {"id": "i"}):
        raise KeyError("Erika Mustermann")
    details = [entry["details"] for _, entry in read_entries(tmp_path) if "details" in entry]
    assert details[1:] == [{"phase": "done", "rows": 3}, {"phase": "begun"}, {"phase": "failed", "error": "KeyError"}]
    with change(None, Act.DELETE, {}) as told:
        told["rows"] = 1
    assert check_log(tmp_path).problems == []


def test_a_log_that_refuses_stops_the_change(tmp_path: Path) -> None:
    journal = LogJournal.without_case(tmp_path)

    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    journal.log.on_step = full
    with pytest.raises(AuditError, match="No space left"), change(journal, Act.DELETE, {}):
        pytest.fail("the change was made")


def test_the_log_has_ratios_and_reasons_and_the_calibration(tmp_path: Path) -> None:
    ratio = {"log10": 2.25, "low": 1.8, "high": 2.7, "bounded": True, "refused": None, "image_log10": None}
    none = {**dict.fromkeys(ratio), "bounded": False, "refused": "quality_out_of_range"}
    hits = tuple(
        SearchHit(at, SECRETS[0], at, 1.0, {}, "x", "", None, lr=lr) for at, lr in ((1, ratio), (2, none), (3, None))
    )
    told = {"sha256": "c" * 64, "cohort_sha256": "d" * 64, "population": SECRETS[0], "propositions": [SECRETS[1]]}
    result = QueryResult(
        hits, {"sha256": None}, "image", {}, 0.0, "model-1", "index-1@3", {}, calibration=told, searched=41
    )
    journal = LogJournal(small_log(tmp_path, 0), b"k" * 32, "examiner-1")
    journal.record(search_entry(journal, result, lines=(), started="2026-01-01", list_length=10, rows=100))
    entry = dict(read_entries(tmp_path))[1]
    assert entry["candidates"] == [
        {"row": 1, "lr": 2.25, "bounded": True}, {"row": 2, "refused": "quality_out_of_range"}, {"row": 3}
    ]  # fmt: skip
    details = {"mode": "image", "mode_of_search": "investigation", "searched": 41}
    assert (entry["calibration"], entry["cohort"], entry["details"]) == ("c" * 64, "d" * 64, details)
    assert not [secret for secret in SECRETS if secret in (tmp_path / LOG).read_text()]
