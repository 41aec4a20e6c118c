"""An index that may only be read, as on a mounted evidence disk: reading works, writing is refused with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from index_helpers import small_index

from indexer import Store

CHILD = """
import os, sys
import numpy as np
import indexer
from indexer import generation
generation.MAPPED_FROM = 1
path, other = sys.argv[1:]
import pyarrow.parquet, faiss  # what is loaded late is loaded with the rights to read it
if os.getuid() == 0:  # whom no mode of a file stops
    os.setgid(65534)
    os.setuid(65534)
before = sorted(entry.name for entry in os.scandir(path))
store = indexer.Store.open(path)
ids, scores = store.search(np.ones((1, 12), np.float32), 3)
assert store.rows(ids[0])[0].subject_id, store.info()
assert indexer.verify(path).ok
for refused in (
    lambda: store.writer().__enter__(),
    lambda: indexer.compact(store),
    lambda: indexer.purge(store),
    lambda: indexer.repair(path),
    lambda: indexer.restore(path, path + "/inside"),
    lambda: indexer.Store.create(path + "-new", store.contract),
):
    try:
        refused()
    except indexer.IndexExistsError:
        pass
    except indexer.StorageError as error:
        assert "Permission denied" in str(error) and "check the disk and the rights" in str(error), error
    else:
        raise AssertionError("no error")
assert sorted(entry.name for entry in os.scandir(path)) == before
indexer.snapshot(store, other + "/copy")
print(ids[0].tolist())
"""


def test_an_index_that_may_only_be_read() -> None:
    folder = Path(tempfile.mkdtemp())  # not below `tmp_path`, which only its owner may enter
    try:
        index, other = folder / "holder" / "index", folder / "other"
        (folder / "holder").mkdir()
        small_index(index)
        other.mkdir()
        other.chmod(0o777)
        for path in (folder, folder / "holder", index):
            path.chmod(0o555)
        command = [sys.executable, "-c", CHILD, str(index), str(other)]
        run = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        assert run.returncode == 0, run.stderr
        ids, _ = Store.open(index).search(np.ones((1, 12), np.float32), 3)
        assert run.stdout.strip() == str(ids[0].tolist())
        assert len(Store.open(other / "copy")) == len(Store.open(index))
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)
