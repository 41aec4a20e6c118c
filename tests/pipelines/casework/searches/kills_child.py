"""Searches of a case by processes that are killed: kills_child.py FOLDER INDEX PROBE KILLS SEED.

Two processes search in one case, each with ten threads as the service does, with a log of their own beside the case's.
Each is killed at a moment of its own: one after a random time, the other before a random step of an append to a log.
Whenever a search returns, its name and a digest of the answer go to a pipe: that is the answer leaving. What is found
afterwards must have all of these, whole. Prints what happened as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer import holds as held
from pipelines.casework.case import holds
from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from pipelines.casework.exchange.imported import open_to_read
from pipelines.casework.exchange.receive import receive_export
from pipelines.casework.searches.replay import replay
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tests.models import FAST_MODEL
from tgfr_search.audit.entries import canonical
from tgfr_search.audit.errors import BusyError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import check_log
from tgfr_search.model.checkpoint import load_model

THREADS, PROCESSES = 10, 2
ROUNDS_A_CASE = 10
ACTOR = "examiner-1"
WORDS = ("a man with a beard", "a young woman with blond hair", "an old man with glasses", "a woman with black hair")


def digest(result: dict[str, Any]) -> str:
    """Of an answer, as it is given and as it is kept."""
    return hashlib.sha256(canonical(result["candidates"])).hexdigest()


def work(gallery: Gallery, folder: Path, log: Path, name: str, pipe: int, steps: int | None) -> None:
    """Searches with all threads at once, again and again, until it is killed."""
    left = steps or 0

    def count_down(step: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    case, journal = Case.open(folder), replace(LogJournal.without_case(log), actor=ACTOR)
    case.files.log.on_step = journal.log.on_step = count_down
    own = Gallery(gallery.store, gallery.model, gallery.finder, journal, gallery.judge)

    def one(number: int) -> None:
        while True:
            given = {"evidence": name} if number == 0 else {"lines": [WORDS[number % len(WORDS)]]}
            try:
                made, result = search(case, own, actor=ACTOR, origin="witness", top_k=3, **given)  # type: ignore[arg-type]
            except BusyError:  # told, and not answered
                os.write(pipe, b"busy\n")
                continue
            os.write(pipe, f"{made} {digest(result.as_dict())}\n".encode())

    threads = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def killed(gallery: Gallery, folder: Path, log: Path, name: str, chance: random.Random) -> list[str]:
    """One round; what was answered."""
    mine, theirs = os.pipe()
    children = []
    for number in range(PROCESSES):
        steps = chance.randint(1, 60) if number else None
        if (child := os.fork()) == 0:
            os.close(mine)
            try:
                work(gallery, folder, log, name, theirs, steps)
            finally:
                os._exit(1)
        children.append(child)
    os.close(theirs)
    with os.fdopen(mine, "rb") as pipe:
        first = pipe.readline()  # they are at work
        time.sleep(chance.uniform(0.0, 0.5))
        os.kill(children[0], signal.SIGKILL)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        told = (first + pipe.read()).decode().splitlines()
    assert ends == [-signal.SIGKILL] * PROCESSES, ends
    return told


def check(folder: Path, log: Path, index: Path, answered: dict[str, str]) -> int:
    """Everything that was answered is there and was logged; both logs verify; what was never answered left nothing."""
    case = Case.open(folder)
    assert check_log(folder / "audit").problems == []
    assert check_log(log).problems == []
    assert list(case.files.strays()) == []
    entries = case.entries()
    logged = {Path(each["details"]["file"]).stem for each in entries if each["act"] == "search"}
    assert answered.keys() <= logged, "no answer without an entry"
    holding = {hold.search for hold in held.read_holds(index) if hold.case == case.id}
    for name in logged:
        kept = case.read_search(name)
        if name in answered:
            assert digest(kept["result"]) == answered[name], "another answer is kept than was given"
        assert name in holding or not kept["held"], "what it searched is held"
    beside = sum(entry["act"] == "search" for _, entry in read_entries(log))
    assert beside >= len(logged), "nor without one in the log of the gallery"
    return len(logged)


def main(folder: Path, index: Path, probe: Path, kills: int, seed: int) -> dict[str, int]:
    gallery = Gallery.open(index, model=load_model(FAST_MODEL, device="cpu"))
    gallery.store.load()  # type: ignore[union-attr]
    gallery.query(caption=WORDS[0])
    chance, done = random.Random(seed), 0
    total = dict.fromkeys(("kills", "answered", "logged", "busy", "recovered", "cases"), 0)
    while done < kills:
        total["cases"] += 1
        path, log = folder / f"case{total['cases']}", folder / f"log{total['cases']}"
        case = Case.new(path, purpose="p", basis="b", actor=ACTOR)
        name = case.add(probe, actor=ACTOR)
        answered: dict[str, str] = {}
        for _ in range(ROUNDS_A_CASE):
            if done >= kills:
                break
            lines = killed(gallery, path, log, name, chance)
            done += PROCESSES
            total["busy"] += lines.count("busy")
            fresh = dict(line.split() for line in lines if line != "busy")
            assert not fresh.keys() & answered.keys(), "a name is given once"
            answered |= fresh
            logged = check(path, log, index, answered)
        case = Case.open(path)
        export(case, folder / "out.zip", actor=ACTOR)
        receive_export(folder / "out.zip", folder / "imported")
        assert replay(open_to_read(folder / "imported"), gallery, max(answered), actor=ACTOR).same
        total["recovered"] += sum(each["act"] == "log recovered" for each in case.entries())
        total["answered"] += len(answered)
        total["logged"] += logged
        holds.close(case, actor=ACTOR)
        (folder / "out.zip").unlink()
        for left in (folder / "imported", path, log):
            shutil.rmtree(left)
        total["kills"] = done
        print(json.dumps(total), file=sys.stderr, flush=True)
    return total


if __name__ == "__main__":
    where, of, photo = (Path(given) for given in sys.argv[1:4])
    print(json.dumps(main(where, of, photo, int(sys.argv[4]), int(sys.argv[5]))))
