"""Imports go down only (ARCHITECTURE): read from the source, not from what happens to be loaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tgfr_search", "indexer", "pipelines", "benchmarks")

FLOOR_0 = {
    "tgfr_search.types",
    "tgfr_search.terms",
    "tgfr_search.errors",
    "tgfr_search.options",
    "tgfr_search.strict",
    "tgfr_search.files",
    "tgfr_search.names",
    "tgfr_search.installed",
}
FLOOR_3 = {"tgfr_search", "tgfr_search.__main__"}
"""And every `tgfr_search.app…`."""
FLOOR_0_LIBRARIES = {"numpy"}
FLOOR_0_OWN_LIBRARIES = {"tgfr_search.types": {"pandas"}}
"""pandas for `QueryResult.to_frame` alone; `test_lazy_imports.py` sees that it is loaded only then."""
INDEXER_LIBRARIES = {"numpy", "pyarrow", "faiss", "pymilvus"}
ONE_DOOR = {"ray": "pipelines.enrol.ray.engine", "pymilvus": "indexer.milvus.connect"}
"""Parts that few have: one module each knows them, and imports them when it is asked to work."""


def floor(module: str) -> int:
    if module in FLOOR_0:
        return 0
    if module in FLOOR_3 or module.startswith(("benchmarks", "tgfr_search.app")):
        return 3
    return 2 if module.startswith("pipelines") else 1


WINGS = {
    "faces": set[str](),
    "enrol": {"faces"},
    "search": {"faces", "enrol"},
    "train": {"faces"},
    "measure": {"faces", "enrol", "search"},
    "casework": {"faces", "enrol", "search", "measure"},
    "tools": {"faces", "enrol", "search", "train", "measure", "casework"},
}
"""Wing of `pipelines` → the wings that it may know; `train` and `measure` never meet."""


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """Every module imported anywhere in the file; `from a import b` counts as a.b where that is a module."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            out.update(
                full if (full := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            )
    return out


def own(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module: str) -> None:
    here = floor(module)
    for name in imports(MODULES[module]):
        if name == "tgfr_search":
            # The version number and nothing else: `Gallery` is loaded only when somebody asks for it by name.
            continue
        if not own(name):
            if here == 0:
                top = name.split(".")[0]
                may = FLOOR_0_LIBRARIES | FLOOR_0_OWN_LIBRARIES.get(module, set())
                assert top in may or top in sys.stdlib_module_names, f"{module} imports {name}"
            if module.startswith("indexer"):
                top = name.split(".")[0]
                assert top in INDEXER_LIBRARIES or top in sys.stdlib_module_names, f"{module} imports {name}"
            continue
        assert name in MODULES, f"{module} imports {name}, which is not there"
        assert floor(name) <= here, f"{module} (floor {here}) imports {name} (floor {floor(name)})"
        if module.startswith("indexer") or name.startswith("indexer"):
            same = module.split(".")[0] == name.split(".")[0] == "indexer"
            assert same or (not module.startswith("indexer") and here >= 2), (
                f"{module} and {name} must not know each other"
            )


def wing(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "pipelines" and len(parts) > 1 else None


@pytest.mark.parametrize("module", sorted(name for name in MODULES if wing(name)))
def test_wings_know_only_what_lies_below_them(module: str) -> None:
    here = wing(module)
    assert here in WINGS
    for name in imports(MODULES[module]):
        assert wing(name) in {None, here, *WINGS[here]}, f"{module} imports {name}"


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others() -> None:
    """Not for its types either. What a package hands on from its `__init__` is imported where it is defined."""
    left = {
        module: {name for name in imports(path) if name in MODULES and MODULES[name].name != "__init__.py"}
        for module, path in MODULES.items()
        if path.name != "__init__.py"
    }
    while ground := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in ground}
    assert not left, f"a circle of imports is among or below: {', '.join(sorted(left))}"


def test_parts_that_few_have_are_imported_by_one_module_each() -> None:
    for module, path in MODULES.items():
        for name in imports(path):
            assert ONE_DOOR.get(name.split(".")[0], module) == module, f"{module} imports {name}"


def test_an_index_opens_and_searches_without_torch() -> None:
    code = "import sys, indexer; sys.exit('torch' in sys.modules or 'tgfr_search' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_worker_that_finds_faces_does_not_load_torch() -> None:
    code = "import sys, pipelines.faces.find; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_command_line_loads_nothing_heavy_for_help() -> None:
    heavy = "{'torch', 'transformers', 'dlib', 'faiss', 'ray', 'pymilvus'}"
    code = f"import sys, tgfr_search.app.cli.main; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by their bare names: of two alike it refuses one, and only where both run."""
    seen: dict[str, Path] = {}
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name not in ("conftest.py", "__init__.py"):
            assert seen.setdefault(path.name, path) == path, f"{path} and {seen[path.name]}"
