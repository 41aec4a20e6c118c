"""schemathesis on every route of the API, as each role: no answer may be an error of the program.

    python -m benchmarks.pages.fuzz DEMO [--cases 2000] [--schemathesis /path/to/st]

DEMO is a folder that `tgfr-search demo` wrote; schemathesis comes from PyPI, into an environment of its own. What was
sent is counted by the service itself.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.pages.service import PASSWORD, add_accounts, client_of, served
from benchmarks.results import write_result
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.roles import Role
from tgfr_search.model.checkpoint import DEFAULT_MODEL, load_model

OPERATIONS = 30
"""About; each gets as many examples."""


def statuses(hub: Hub) -> Counter[tuple[str, str]]:
    """(route, status) → requests that were answered so."""
    found = Counter[tuple[str, str]]()
    for family in hub.metrics.requests.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                labels = sample.labels
                found[f"{labels['method']} {labels['route']}", labels["status"]] += int(sample.value)
    return found


def known(base: str, hub: Hub, demo: Path) -> str:
    """Names of things that are there, as schemathesis takes them: made-up ones lead nowhere but to 404."""
    examiner, enroller = client_of(hub, base, "examiner-1"), client_of(hub, base, "enroller-1")
    photo = next((demo / "probes").glob("*.png"))
    case = examiner.new_case(purpose="fuzzed", basis="measurement")
    evidence = examiner.add_evidence(case, photo)
    search = examiner.search_case(case, pictures=[{"evidence": evidence}], top_k=3)
    job = enroller.wait(enroller.enrol("people", [b"no photo"], subject="nobody")["id"])["id"]
    hub.accounts.add("spare", Role.AUDITOR.value, PASSWORD)
    names = {"case": case, "search": search, "gallery": "people", "job": job, "number": 1, "row": 0, "name": "spare"}
    return "[parameters]\n" + "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in names.items())


def fuzz(base: str, hub: Hub, program: str, cases: int, folder: Path, names: str) -> dict[str, Any]:
    """What the service answered to generated requests, by made-up names and by those of things that are there."""
    told, each = dict[str, int](), math.ceil(cases / len(Role) / OPERATIONS / 2)
    passes = {"made up": ("", "fuzzing"), "there": (names, "examples,coverage,fuzzing")}
    for role in Role:
        account = hub.accounts.get(f"{role}-1")
        assert account is not None
        before = sum(statuses(hub).values())
        for config, phases in passes.values():
            (folder / "schemathesis.toml").write_text(config)
            command = [program, "--config-file", "schemathesis.toml", "run", f"{base}/openapi.json",
                       "--header", "Authorization: Bearer " + hub.sessions.make_token(account, 1),
                       "--checks", "not_a_server_error", "--max-examples", str(each), "--phases", phases,
                       "--seed", "1", "--continue-on-failure"]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
            if "Test cases" not in done.stdout:
                raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        told[role] = sum(statuses(hub).values()) - before
    found = statuses(hub)
    codes = Counter[str]()
    for (_, status), count in found.items():
        codes[status] += count
    return {
        "requests": sum(told.values()),
        "by_role": told,
        "by_status": dict(sorted(codes.items())),
        "errors_of_the_program": sorted(f"{route} {status}" for (route, status) in found if status.startswith("5")),
        "routes_that_did_their_work": len({route for route, status in found if "/api/" in route and status < "300"}),
    }


def main() -> None:
    """Writes benchmarks/results/fuzz.json; exit code 1 where an answer was an error of the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="The routes are the same with each; some are faster.")
    parser.add_argument("--schemathesis", default=shutil.which("st") or "st")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    version = subprocess.run([options.schemathesis, "--version"], capture_output=True, text=True, check=True)
    model = load_model(options.model, device="cpu")
    with tempfile.TemporaryDirectory() as name, served(options.demo, model, Path(name)) as (base, hub):
        add_accounts(hub)
        names = known(base, hub, options.demo)
        told = fuzz(base, hub, options.schemathesis, options.cases, Path(name), names)
    values = {"schemathesis": version.stdout.strip(), **told}
    print(json.dumps(values, indent=1))
    write_result("fuzz", values, options.out)
    raise SystemExit(1 if told["errors_of_the_program"] or told["requests"] < options.cases else 0)


if __name__ == "__main__":
    main()
