"""A case as one zip that a stranger can check: a BagIt bag (RFC 8493) with the log, proofs and the verifier.

The same case gives the same bytes: members in order, one date, nothing compressed. Export entries at the end of the log
are left out, so that an export is not changed by having been made.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.casework.case.case import AUDIT, CASE, Case
from tgfr_search.audit import verify
from tgfr_search.audit.entries import Act, Entry, canonical
from tgfr_search.audit.merkle import inclusion_path
from tgfr_search.audit.verify import CHECKPOINT, KEY, LOG, Record, checkpoint_text, read_records
from tgfr_search.errors import InputError
from tgfr_search.files import replacing

DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip knows."""
READ_ME = """This is a case of tgfr-search: an investigative lead and how it came about, never an identification.

    python verify.py .

says whether it is whole. A checkpoint of this case that was kept elsewhere shows that its log was not written anew:

    python verify.py . --against CHECKPOINT
"""


@dataclass(frozen=True)
class Exported:
    """What an export is.

    Attributes:
        sha256: Of the zip, in hex.
        left_out: Files of the folder that are in no entry of the log, and so no part of the case.
    """

    sha256: str
    left_out: tuple[str, ...] = ()


def export(case: Case, target: Path, *, actor: str) -> Exported:
    """Writes a case as a zip; its last act is the entry of it.

    The signing key is not part of it. The key of the commitments is: with it a stranger can check that the files are
    those of the log.

    Args:
        case: The case.
        target: A new file.
        actor: Account.

    Raises:
        InputError: There is something at the target, or a file of the case is not as it was logged.
        AuditError: It could not be logged: no file is left.
    """
    if target.exists():
        raise InputError(
            f"{target}", found="a file", expected="none: an export is never written over", do="name another"
        )
    with case.files.settled("export"):
        report = verify.check_log(case.folder / AUDIT)
        if report.problems:
            raise InputError(f"{case.folder}", found=report.problems[0], expected="a log that is whole")
        data = _zip(_bag(_payload(case)))
        made = Exported(hashlib.sha256(data).hexdigest(), tuple(case.files.strays()))
        with replacing(target) as temporary:
            temporary.write_bytes(data)
            case.journal(actor).record(Entry(Act.EXPORT, details={"sha256": made.sha256}))
    return made


def _payload(case: Case) -> dict[str, bytes]:
    """Name below `data/` → bytes."""
    log = (case.folder / AUDIT / LOG).read_bytes()
    records = list(read_records(io.BytesIO(log)))
    while (body := records[-1].body) is not None and json.loads(body)["act"] == Act.EXPORT:
        records.pop()
    logged = case.files.logged()
    files = {name: case.files.kept(name, logged) for name in {CASE, *logged}}
    files["case.key"] = case.files.key.hex().encode() + b"\n"
    leaves = [record.leaf for record in records]
    tree = verify.Tree()
    for leaf in leaves:
        tree.add(leaf)
    text = checkpoint_text(case.files.log.key.name, tree.size, tree.root())
    files[f"{AUDIT}/{LOG}"] = log[: records[-1].end]
    files[f"{AUDIT}/{KEY}"] = f"{case.files.log.key}\n".encode()
    files[f"{AUDIT}/{CHECKPOINT}"] = text.encode() + b"\n" + (records[-1].seal or b"") + b"\n"
    return files | _proofs(records, leaves)


def _proofs(records: list[Record], leaves: list[bytes]) -> dict[str, bytes]:
    """Of each search: its entry and the way from it to the checkpoint's root, to be shown without the log."""
    proofs = {}
    for seq, record in enumerate(records):
        entry = json.loads(record.body or b"{}")
        if entry.get("act") == Act.SEARCH:
            path = [each.hex() for each in inclusion_path(leaves, seq)]
            told = {"entry": (record.body or b"").decode(), "index": seq, "size": len(leaves), "path": path}
            proofs[f"proofs/{Path(entry['details']['file']).stem}.json"] = canonical(told)
    return proofs


def _bag(payload: dict[str, bytes]) -> dict[str, bytes]:
    octets = sum(map(len, payload.values()))
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Payload-Oxum: {octets}.{len(payload)}\n".encode(),
        "manifest-sha256.txt": _manifest({f"data/{name}": data for name, data in payload.items()}),
        "README.txt": READ_ME.encode(),
        "verify.py": Path(str(verify.__file__)).read_bytes(),
    }
    tags["tagmanifest-sha256.txt"] = _manifest(tags)
    return tags | {f"data/{name}": data for name, data in payload.items()}


def _manifest(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, DATE)
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, files[name])
    return out.getvalue()
