"""One index, changed by process after process that are killed at random moments: soak_child.py PATH KILLS SEED.

Every second one is killed from outside after a random time, the others before a random one of their disk actions.

Each process tells through a pipe what the rows will be before it begins a change, and that it is done after it. So what
is found after the kill must be what was acknowledged last, or what was begun. Prints what happened as JSON."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from index_helpers import CONTRACT, make_batch, random_blocks

from indexer import QuarantineRecord, Store, compact, generation, io, purge, verify

Model = dict[int, str]
"""Row id → subject."""
CHANGES = ("add", "add", "delete", "update", "quarantine", "compact", "purge", "read")


def change_for_ever(path: Path, pipe: int, seed: int, steps: int | None) -> None:
    chance = random.Random(seed)
    left = steps or 0

    def count_down(action: str, changed: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    io.on_step = count_down
    store = Store.open(path, backend="exact")
    model = rows(store)
    while True:
        what = chance.choice(CHANGES)
        if len(model) > 12:
            what = "delete"
        planned, row = dict(model), chance.choice([*model, None])
        if what == "add":
            first, count = store.manifest.next_row_id, chance.randint(1, 3)
            planned |= {first + i: f"s{chance.randrange(5)}" for i in range(count)}
        elif what == "delete" and row is not None:
            del planned[row]
        elif what == "update" and row is not None:
            planned[row] = f"t{chance.randrange(5)}"
        tell(pipe, planned)
        if what in ("compact", "purge"):
            {"compact": compact, "purge": purge}[what](store)
        elif what == "read":
            Store.open(path, backend="exact").load()
        else:
            with store.writer() as writer:
                if what == "add":
                    blocks = random_blocks(np.random.default_rng(seed), count)
                    writer.add(make_batch([planned[first + i] for i in range(count)], blocks, first=first))
                elif what == "quarantine":
                    writer.quarantine([QuarantineRecord(f"q{chance.randrange(3)}.jpg", "no_face", str(seed), "")])
                elif row is not None and what == "delete":
                    writer.delete(row_ids=[row])
                elif row is not None:
                    writer.update(row, subject_id=planned[row])
                writer.commit()
        model = planned
        tell(pipe, None)


def tell(pipe: int, planned: Model | None) -> None:
    """The rows that are planned; None that they are there now. Written before the disk is touched."""
    os.write(pipe, (json.dumps(planned) + "\n").encode())


def rows(store: Store) -> Model:
    return {row.row_id: row.subject_id for row in store.rows(store._generation.ids, chips=False)}


def main(path: Path, kills: int, seed: int) -> dict[str, object]:
    generation.MAPPED_FROM = 1  # so that caches, too, are written and killed
    chance = random.Random(seed)
    acknowledged: Model = {}
    Store.create(path, CONTRACT)
    changes = undone = done = leftovers = 0
    for number in range(kills):
        chance.seed(seed * 1_000_003 + number)
        mine, theirs = os.pipe()
        if (child := os.fork()) == 0:
            os.close(mine)
            change_for_ever(path, theirs, seed + number, chance.randint(1, 40) if number % 2 else None)
        os.close(theirs)
        with os.fdopen(mine, "rb") as pipe:
            first = pipe.readline()  # it is at work
            if number % 2 == 0:
                time.sleep(chance.uniform(0.0, 0.04))
                os.kill(child, signal.SIGKILL)
            end = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            told = (first + pipe.read()).splitlines(keepends=True)
            lines = [json.loads(line) for line in told if line.endswith(b"\n")]
        assert end == -signal.SIGKILL, end
        begun = acknowledged
        for line in lines:
            if line is None:
                acknowledged, changes = begun, changes + 1
            else:
                begun = {int(row): subject for row, subject in line.items()}
        report = verify(path)
        assert report.ok, (number, report.problems)
        leftovers += any("the next one removes it" in note for note in report.notes)
        store = Store.open(path, backend="exact")
        found = rows(store)
        assert found in (acknowledged, begun), (number, found, acknowledged, begun)
        if begun != acknowledged:
            done, undone = done + (found == begun), undone + (found == acknowledged)
        vectors, ids = store.vectors(store._generation.ids), store._generation.ids
        if len(ids):
            best = store.search(vectors[-1:], 1)[0][0, 0]
            assert (vectors @ vectors[-1])[ids.tolist().index(best)] >= vectors[-1] @ vectors[-1] - 1e-5
        acknowledged = found
    return {"kills": kills, "changes": changes, "begun_and_done": done, "begun_and_undone": undone, "left": leftovers}


if __name__ == "__main__":
    import pandas  # noqa: F401  pyarrow imports it when rows are added: once here, not once in each child

    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
