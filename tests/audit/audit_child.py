"""Processes that append to a log: `full FOLDER BYTES` on a disk with no more room, `kills FOLDER N` killed N times.

Half of the killed ones kill themselves before a random step of an append, the others are killed from outside. Each
writes to a pipe the place of every entry once `append` has returned: that is its answer leaving."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from audit_helpers import search_entry

from tgfr_search.audit import log as log_module
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.verify import LOG, check_log, read_records

WRITERS = 3


def full(folder: Path, size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = AuditLog.open(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        print("acknowledged", log.append(search_entry(5)))
    except AuditError as error:
        print(error)


def append_for_ever(folder: Path, pipe: int, seed: int, steps: int | None) -> None:
    left = steps or 0

    def count_down(step: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            if step == "fsync":  # what is not synced may be half there after a loss of power
                path = folder / LOG
                os.truncate(path, path.stat().st_size - random.Random(seed).randint(1, 300))
            os.kill(os.getpid(), signal.SIGKILL)

    log = AuditLog.open(folder)
    log.on_step = count_down
    while True:
        place = log.append(search_entry(seed))
        os.write(pipe, f"{place} {seed}\n".encode())


def kills(folder: Path, number: int) -> dict[str, int]:
    log_module.SAVED_EVERY = 5
    chance, done = random.Random(0), 0
    acknowledged: dict[int, int] = {}
    AuditLog.create(folder)
    while done < number:
        mine, theirs = os.pipe()
        children = []
        for _ in range(min(WRITERS, number - done)):
            done += 1
            steps = chance.randint(1, 12) if done % 2 else None
            if (child := os.fork()) == 0:
                os.close(mine)
                append_for_ever(folder, theirs, done, steps)
            children.append((child, steps is not None))
        os.close(theirs)
        with os.fdopen(mine, "rb") as pipe:
            first = pipe.readline()
            time.sleep(chance.uniform(0.0, 0.03))
            for child, itself in children:
                if not itself:
                    os.kill(child, signal.SIGKILL)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            for line in (first + pipe.read()).splitlines():
                place, seed = line.split()
                assert int(place) not in acknowledged
                acknowledged[int(place)] = int(seed)
        report = check_log(folder)
        assert not report.problems, report.problems
    log = AuditLog.open(folder)
    log.append(search_entry(0))
    recovered = 0
    with (folder / LOG).open("rb") as file:
        for at, record in enumerate(read_records(file)):
            entry = json.loads(record.body or b"")
            recovered += entry["act"] == "log recovered"
            assert at not in acknowledged or entry["candidates"][0]["row"] == acknowledged[at]
    assert at >= max(acknowledged)
    return {"kills": done, "acknowledged": len(acknowledged), "entries": at + 1, "recovered": recovered}


if __name__ == "__main__":
    if sys.argv[1] == "full":
        full(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(kills(Path(sys.argv[2]), int(sys.argv[3]))))
