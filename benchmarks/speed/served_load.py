"""The service under load, and killed under load, over the demo's people and random rows beside them.

    python -m benchmarks.speed.served_load DEMO [--rows 10000] [--users 20] [--searches 50] [--kills 3]

Load: so many users search at once, by picture and words, with the log on: errors, the ratio of the 95th percentile to
what one user waits, growth of resident memory. Kill: users search and enrol while the service gets SIGKILL; after each
start the log must verify, what was answered must be in it, and every Idempotency-Key must have one row.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import write_result
from benchmarks.speed.query_latency import fill
from indexer import Store
from pipelines.enrol.index import index_gallery
from tgfr_search.app.service.accounts import Accounts
from tgfr_search.app.service.database import Database
from tgfr_search.app.service.sessions import Sessions
from tgfr_search.app.service.settings import Limits
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import check_log
from tgfr_search.client import Client, ServiceError
from tgfr_search.model.checkpoint import DEFAULT_MODEL, load_model

PURPOSE, BASIS = "load", "measurement"
ENCODING = ("load", "detect", "encode")
"""Stages of a search that are the model's and the detector's; what else a client waits for is the service's."""
STARTS_S = 180.0


@dataclass(frozen=True)
class Served:
    """A service that runs.

    Attributes:
        base: Its address.
        process: Of it.
    """

    base: str
    process: subprocess.Popen[bytes]

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line for line in told.splitlines() if line.startswith("VmRSS")).split()[1])


@contextmanager
def serving(index: Path, data: Path, port: int) -> Iterator[Served]:
    """A service over an index, once it is ready; killed at the end where it still runs."""
    command = ["serve", str(index), "--data", str(data), "--bind", f"127.0.0.1:{port}", "--insecure-loopback"]
    with (data / "stderr.txt").open("ab") as told:
        process = subprocess.Popen([sys.executable, "-m", "tgfr_search", *command], stdout=told, stderr=told)
    try:
        until = time.monotonic() + STARTS_S
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
                if json.loads(answer.read())["ready"]:
                    break
            time.sleep(0.2)
        else:
            raise RuntimeError((data / "stderr.txt").read_text()[-2000:])
        yield Served(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def make_tokens(data: Path, role: str, count: int) -> list[str]:
    """Tokens of new accounts."""
    database = Database(data)
    accounts = Accounts(database)
    sessions = Sessions(database, accounts, Limits())
    made = [accounts.add(f"{role}-{at}", role, "correct horse battery") for at in range(count)]
    return [sessions.make_token(each, 1) for each in made]


def together(work: list[Callable[[], None]]) -> None:
    """Runs all at once, and waits for them."""
    threads = [threading.Thread(target=each) for each in work]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def load(
    index: Path, data: Path, tokens: list[str], probes: list[Path], captions: list[str], each: int
) -> dict[str, Any]:
    """Errors, latencies and memory of many users at once."""
    laps, beside, errors = list[float](), list[float](), list[str]()

    def user(number: int, count: int, into: list[float]) -> None:
        client = Client(served.base, tokens[number])
        for at in range(count):
            which = (number * count + at) % len(probes)
            started, encoding = time.perf_counter(), 0.0
            try:
                told = client.search(photo=probes[which], captions=[captions[which]], purpose=PURPOSE, basis=BASIS)
                encoding = sum(told["timing_ms"].get(name, 0.0) for name in ENCODING)
            except ServiceError as error:
                errors.append(str(error))
            into.append(took := 1000 * (time.perf_counter() - started))
            if into is alone:
                beside.append(took - encoding)

    alone = list[float]()
    with serving(index, data, free_port()) as served:
        user(0, 52, alone)
        together([lambda n=n: user(n, 2, []) for n in range(len(tokens))])  # type: ignore[misc]
        before, start = served.resident, time.perf_counter()
        together([lambda n=n: user(n, each, laps) for n in range(len(tokens))])  # type: ignore[misc]
        seconds, after = time.perf_counter() - start, served.resident
    one = float(np.median(alone[2:]))
    return {
        "users": len(tokens),
        "searches": len(laps),
        "errors": errors[:5],
        "error_count": len(errors),
        "searches_a_second": round(len(laps) / seconds, 2),
        "one_user_median_ms": round(one, 1),
        "one_user_beside_encoding_median_ms": round(float(np.median(beside[2:])), 1),
        "one_user_beside_encoding_p95_ms": round(float(np.percentile(beside[2:], 95)), 1),
        "median_ms": round(float(np.median(laps)), 1),
        "p95_ms": round(float(np.percentile(laps, 95)), 1),
        "p95_to_one_user": round(float(np.percentile(laps, 95)) / one, 2),
        "p95_to_one_user_a_user": round(float(np.percentile(laps, 95)) / one / len(tokens), 3),
        "resident_before_mib": before >> 20,
        "resident_after_mib": after >> 20,
        "memory_growth": round(after / before - 1, 4),
    }


def kills(
    index: Path, data: Path, searchers: list[str], enroller: str, probes: list[Path], times: int, after_s: float
) -> dict[str, Any]:
    """What a service that is killed while it works has lost, and done twice."""
    answered, asked, sent = 0, list[str](), dict[str, str]()
    lock, ended = threading.Lock(), threading.Event()
    port = free_port()
    base = f"http://127.0.0.1:{port}"

    def search(token: str, at: int) -> None:
        nonlocal answered
        while not ended.is_set():
            with suppress(ServiceError):
                Client(base, token, timeout_s=60).search(photo=probes[at % len(probes)], purpose=PURPOSE, basis=BASIS)
                with lock:
                    answered += 1

    def enrol() -> None:
        for at, probe in enumerate(probes):
            if ended.is_set():
                return
            subject = f"enrolled-{at}"
            asked.append(subject)
            with suppress(ServiceError):  # the same request again until it is answered: its key goes along
                client = Client(base, enroller, timeout_s=60, tries=40)
                sent[subject] = client.enrol("index", [probe], subject=subject)["id"]

    work = [threading.Thread(target=search, args=(token, at)) for at, token in enumerate(searchers)]
    work.append(threading.Thread(target=enrol))
    problems = list[str]()
    for number in range(times + 1):
        with serving(index, data, port) as served:
            if not number:
                for each in work:
                    each.start()
            if number < times:
                time.sleep(after_s)
                served.process.send_signal(signal.SIGKILL)
                served.process.wait()
                problems += check_log(data / "audit").problems
                continue
            work[-1].join()  # all that is to be enrolled
            ended.set()
            for each in work:
                each.join()
            client = Client(base, enroller)
            for job in sent.values():
                client.wait(job, timeout_s=STARTS_S)
    return {"kills": times, **_found(index, data, answered, asked, sent, problems)}


def _found(
    index: Path, data: Path, answered: int, asked: list[str], sent: dict[str, str], problems: list[str]
) -> dict[str, Any]:
    """What is in the index and in the log, against what was answered."""
    rows = [subject for _, subject in Store.open(index).photos_by_image().values()]
    told = sum(entry["act"] == "search" for _, entry in read_entries(data / "audit"))
    return {
        "searches_answered": answered,
        "searches_in_the_log": told,
        "answered_and_not_logged": max(0, answered - told),
        "enrolments_answered": len(sent),
        "rows_of_each_answered_one": sorted({rows.count(subject) for subject in sent}),
        "most_rows_of_any": max((rows.count(subject) for subject in asked), default=0),
        "log_problems": problems + check_log(data / "audit").problems,
    }


def main() -> None:
    """Measures and writes benchmarks/results/served_load.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="Folder that `tgfr-search demo` wrote.")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--kill-after", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with (options.demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["quality"] == "clean"]
    probes, captions = [options.demo / row["image"] for row in listed], [row["caption"] for row in listed]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = load_model(options.model, device="cpu")
        index_gallery(options.demo / "gallery", folder / "index", model, workers=0)
        if (more := options.rows - len(Store.open(folder / "index"))) > 0:
            fill(Store.open(folder / "index"), more, seed=0)
        values: dict[str, Any] = {
            "model": options.model,
            "rows": len(Store.open(folder / "index")),
            "load_average": os.getloadavg()[0],
            "cores": os.cpu_count(),
        }
        data = folder / "load"
        tokens = make_tokens(data, "examiner", options.users)
        values["load"] = load(folder / "index", data, tokens, probes, captions, options.searches)
        shutil.rmtree(data)
        tokens = make_tokens(data, "examiner", min(6, options.users))
        (enroller,) = make_tokens(data, "enroller", 1)
        values["kill"] = kills(folder / "index", data, tokens, enroller, probes, options.kills, options.kill_after)
    print(json.dumps(values, indent=1))
    write_result("served_load", values, options.out)


if __name__ == "__main__":
    main()
