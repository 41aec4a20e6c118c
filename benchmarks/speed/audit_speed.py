"""What an entry of the audit log costs, and how long the verifier reads a million of them.

    python -m benchmarks.speed.audit_speed [--appends 300] [--entries 1000000]

The peer of an append is what no log can do without: as many bytes at the end of a file and one fsync.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.keys import SIGNING, Signer
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.verify import CHECKPOINT, LOG, Tree, check_log, leaf_hash

ENTRY = Entry(
    Act.SEARCH,
    actor="examiner-1",
    case="0123456789abcdef",
    probe_hmac="0" * 64,
    words_hmac=("0" * 64,),
    result_hmac="0" * 64,
    index={"id": "0123456789abcdef", "generation": 7, "searched": 10_000},
    candidates=tuple({"row": row} for row in range(10)),
)


def median_ms(work: Callable[[], object], times: int) -> float:
    """Median wall time of one call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def fill(log: AuditLog, entries: int) -> None:
    """Replaces the log by a long one: only its last signature is a true one, since only that one is ever checked."""
    signer = Signer(log.key.name, (log.folder / SIGNING).read_bytes())
    template = ENTRY.canonical(seq=0, prev="PREV", software="benchmark").replace(b'"seq":0', b'"seq":SEQ')
    seal = signer.line(0, bytes(32)).encode()
    prev, tree = b"", Tree()
    with (log.folder / LOG).open("wb") as file:
        for seq in range(entries):
            body = template.replace(b"SEQ", b"%d" % seq).replace(b"PREV", prev)
            tree.add(leaf_hash(body))
            line = seal if seq < entries - 1 else signer.line(tree.size, tree.root()).encode()
            file.write(body + b"\n" + line + b"\n")
            prev = hashlib.sha256(seal).hexdigest().encode()
    (log.folder / CHECKPOINT).write_text(signer.checkpoint(tree.size, tree.root()), encoding="utf-8")


def main() -> None:
    """Measures and writes benchmarks/results/audit_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=300)
    parser.add_argument("--entries", type=int, default=1_000_000, help="That the verifier reads.")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"appends": arguments.appends, "entries": arguments.entries}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        log = AuditLog.create(Path(folder) / "log")
        log.append(ENTRY)
        path = log.folder / LOG
        data = b"x" * (path.stat().st_size // 2)
        with (Path(folder) / "plain").open("ab", buffering=0) as plain:

            def write_and_sync() -> None:
                plain.write(data)
                os.fsync(plain.fileno())

            # In turns, so that both meet the same disk.
            rounds = [
                (median_ms(write_and_sync, 50), median_ms(lambda: log.append(ENTRY), 50))
                for _ in range(max(1, arguments.appends // 50))
            ]
        raw, append = (statistics.median(each) for each in zip(*rounds, strict=True))
        found |= {"append_ms": round(append, 2), "write_and_fsync_ms": round(raw, 2), "ratio": round(append / raw, 2)}
        print(found, flush=True)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        log = AuditLog.create(Path(folder) / "log")
        fill(log, arguments.entries)
        start, worked = time.perf_counter(), time.process_time()
        report = check_log(log.folder)
        found["verify_s"] = round(time.perf_counter() - start, 2)
        found["verify_cpu_s"] = round(time.process_time() - worked, 2)  # what one core does, whoever else is at work
        found["load"] = round(os.getloadavg()[0], 1)
        found["verify_bytes"] = (log.folder / LOG).stat().st_size
        if report.problems or report.size != arguments.entries:
            raise SystemExit(f"the log is not whole: {report.problems}")
    print(write_result("audit_speed", found))


if __name__ == "__main__":
    main()
