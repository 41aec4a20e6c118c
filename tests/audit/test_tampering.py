"""A thousand tamperings by somebody without the signing key, and rewrites by somebody with it: all are found, given any
one earlier checkpoint."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_helpers import search_entry, small_log

from tgfr_search.audit import verify
from tgfr_search.audit.entries import canonical
from tgfr_search.audit.keys import Signer
from tgfr_search.audit.log import AuditLog
from tgfr_search.audit.verify import CHECKPOINT, KEY, LOG, Tree, check_log, leaf_hash, main

ENTRIES = 12
Lines = list[bytes]


def flip(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def delete(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(0, len(lines), 2)
    return b"".join([*lines[:at], *lines[at + 2 :]])


def swap(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    one, two = chance.sample(range(0, len(lines), 2), 2)
    lines[one], lines[one + 1], lines[two], lines[two + 1] = lines[two], lines[two + 1], lines[one], lines[one + 1]
    return b"".join(lines)


def truncate(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def remove_body(chance: random.Random, data: bytes) -> bytes:
    """As retention does it, without the entry that says so."""
    lines = data.splitlines(keepends=True)
    at = chance.randrange(0, len(lines), 2)
    return b"".join([*lines[:at], b"#" + leaf_hash(lines[at][:-1]).hex().encode() + b"\n", *lines[at + 2 :]])


def duplicate(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(0, len(lines), 2)
    return b"".join([*lines[: at + 2], *lines[at:]])


def signed_anew(bodies: Lines, signer: Signer) -> tuple[bytes, str]:
    """A whole log of these entries with every place, hash and signature right, and its checkpoint."""
    tree, out, before = Tree(), [], ""
    for seq, body in enumerate(bodies):
        entry = canonical({**json.loads(body), "seq": seq, "prev": before})
        tree.add(leaf_hash(entry))
        seal = signer.line(tree.size, tree.root()).encode()
        before = hashlib.sha256(seal).hexdigest()
        out += [entry, seal]
    return b"".join(line + b"\n" for line in out), signer.checkpoint(tree.size, tree.root())


TAMPERINGS: list[Callable[[random.Random, bytes], bytes]] = [flip, flip, delete, swap, truncate, remove_body, duplicate]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log and, beside it, the checkpoint after each entry."""
    folder = tmp_path_factory.mktemp("origin")
    writer = small_log(folder / "log", 0)
    for number in range(ENTRIES):
        (folder / f"checkpoint-{number + 1}").write_text(writer.checkpoint())
        writer.append(search_entry(number))
    return folder


def test_a_thousand_tamperings_are_found(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: dict[tuple[bytes, bytes, bytes], bool] = {}  # the pure signature check takes milliseconds; few differ
    real = verify.check_signature
    monkeypatch.setattr(
        verify,
        "check_signature",
        lambda *given: checked[given] if given in checked else checked.setdefault(given, real(*given)),
    )
    shutil.copytree(origin / "log", tmp_path / "log")
    path, chance, found = tmp_path / "log" / LOG, random.Random(0), 0
    whole = path.read_bytes()
    for number in range(1000):
        tampered = TAMPERINGS[number % len(TAMPERINGS)](chance, whole)
        assert tampered != whole
        path.write_bytes(tampered)
        found += bool(check_log(tmp_path / "log", [origin / f"checkpoint-{chance.randint(1, ENTRIES)}"]).problems)
    assert found == 1000
    path.write_bytes(whole)
    for earlier in origin.glob("checkpoint-*"):
        assert check_log(tmp_path / "log", [earlier]).problems == []


@pytest.mark.parametrize("number", range(12))
def test_a_rewrite_with_the_key_is_found_by_any_checkpoint_after_the_change(
    origin: Path, tmp_path: Path, number: int
) -> None:
    """All hashes and signatures are right, by the log's own key or by another: only what was kept elsewhere tells."""
    shutil.copytree(origin / "log", tmp_path / "log")
    folder, chance = tmp_path / "log", random.Random(number)
    own = Signer((folder / KEY).read_text().split("+")[0], (folder / "signing.key").read_bytes())
    bodies = (folder / LOG).read_bytes().splitlines()[::2]
    changed = chance.randrange(ENTRIES)
    how = number % 4
    if how == 0:
        bodies[changed] = re.sub(rb'"act":"[a-z ]+"', b'"act":"note"', bodies[changed])
    elif how == 1:
        del bodies[changed]
    elif how == 2:
        del bodies[changed:]
    signer = Signer(own.key.name, b"another key, of thirty-two bytes") if how == 3 else own
    data, note = signed_anew(bodies, signer)
    (folder / LOG).write_bytes(data)
    (folder / CHECKPOINT).write_text(note)
    (folder / KEY).write_text(f"{signer.key}\n")
    assert check_log(folder).problems == []  # by itself it looks whole
    for kept in range(1 if how == 3 else changed + 1, ENTRIES + 1):
        assert check_log(folder, [origin / f"checkpoint-{kept}"]).problems, kept


def test_a_checkpoint_of_another_log_is_refused(origin: Path, tmp_path: Path) -> None:
    other = small_log(tmp_path / "other", 3)
    (tmp_path / "note").write_text(other.checkpoint())
    assert "a checkpoint of another log" in check_log(origin / "log", [tmp_path / "note"]).problems[0]
    (tmp_path / "none").write_text("no checkpoint")
    assert main([str(origin / "log"), "--against", str(tmp_path / "none")]) == 1
    assert main([str(origin / "log"), "--against", str(tmp_path / "missing")]) == 1
    assert main([str(tmp_path)]) == 1


def test_the_verifier_needs_nothing_but_python(origin: Path, tmp_path: Path) -> None:
    """Copied alone, run isolated from every installed package."""
    shutil.copy(str(verify.__file__), tmp_path / "verify.py")
    command = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(origin / "log")]
    run = subprocess.run([*command, "--against", str(origin / "checkpoint-3")], capture_output=True, text=True)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "whole"), run
    shutil.copytree(origin / "log", tmp_path / "log")
    (tmp_path / "log" / LOG).write_bytes(flip(random.Random(5), (origin / "log" / LOG).read_bytes()))
    run = subprocess.run([*command[:-1], str(tmp_path / "log")], capture_output=True, text=True)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (1, "not whole"), run


def test_a_log_that_grew_is_whole(origin: Path, tmp_path: Path) -> None:
    shutil.copytree(origin / "log", tmp_path / "log")
    AuditLog.open(tmp_path / "log").append(search_entry(99))
    assert check_log(tmp_path / "log", sorted(origin.glob("checkpoint-*"))).problems == []


def test_what_the_verifier_says_acts_on_no_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "\x1b[2J\u202egnp.exe\u2028"
    folder.mkdir()
    assert main([str(folder)]) == 1
    out = capsys.readouterr().out
    assert out.endswith("\nnot whole\n")
    assert all(char == "\n" or char.isprintable() for char in out)
    assert "\\x1b[2J\\u202egnp.exe\\u2028" in out


@pytest.mark.parametrize(
    "removed", [[1], ["ab"], [[1]], [[0, "x"]], [[0, 10**15]], [[-(10**15), -1]], {"0": 1}, "all", None]
)
def test_ranges_that_are_none_allow_nothing_and_end_no_check(origin: Path, tmp_path: Path, removed: object) -> None:
    """Whoever wrote them had the key; a body that is missing, or none that is, is still told truly, and at once."""
    shutil.copytree(origin / "log", tmp_path / "log")
    folder = tmp_path / "log"
    own = Signer((folder / KEY).read_text().split("+")[0], (folder / "signing.key").read_bytes())
    bodies = (folder / LOG).read_bytes().splitlines()[::2]
    bodies.append(canonical({"act": "retention", "removed": removed}))
    data, note = signed_anew(bodies, own)
    (folder / LOG).write_bytes(data)
    (folder / CHECKPOINT).write_text(note)
    assert check_log(folder).problems == []
    lines = data.splitlines(keepends=True)
    lines[6:8] = [b"#" + leaf_hash(lines[6][:-1]).hex().encode() + b"\n"]
    (folder / LOG).write_bytes(b"".join(lines))
    allowed = removed == [[0, 10**15]]
    assert ("bodies are missing" in " ".join(check_log(folder).problems)) != allowed
