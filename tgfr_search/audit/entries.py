"""What an entry of the log says: who did what, on which grounds, over what, with what; never whose face or name."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import rfc8785

from tgfr_search.audit.errors import AuditError

FORMAT = 1
"""Of an entry; a reader of this version refuses another."""


class Act(StrEnum):
    """What was done. Stored: never rename one."""

    LOG_OPENED = "log opened"
    LOG_RECOVERED = "log recovered"
    RETENTION = "retention"
    HOLD = "legal hold"
    HOLD_RELEASED = "legal hold released"
    KEY_DESTROYED = "key destroyed"
    ANCHOR = "anchor"
    ENROL = "enrol"
    SEARCH = "search"
    COMPARE = "comparison"
    UPDATE = "update"
    DELETE = "delete"
    PURGE = "purge"
    EXPORT = "export"
    REPORT = "report"
    CASE_OPENED = "case opened"
    EVIDENCE = "evidence received"
    DERIVED = "derivative received"
    CALIBRATION = "calibration received"
    NOTE = "note"
    DECISION = "decision"
    REPLAY = "replay"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    IMPORT = "import"
    PUBLISH = "publish"
    COMPACT = "compact"
    CASE_CLOSED = "case closed"
    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    SIGNED_OUT = "signed out"
    ACCOUNT = "account changed"
    VIEW = "view"
    REVIEW = "review"
    UNMASK = "unmask"
    REFUSED = "refused"
    SPACE = "space changed"
    WATCH = "watch changed"
    WATCH_HIT = "watch hit"
    CALIBRATE = "calibrate"
    VALIDATE = "validate"
    THRESHOLD = "threshold"


def now() -> str:
    """This moment, UTC, to the millisecond; texts of it sort as the moments do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Entry:
    """One act (fields as EU AI Act, articles 12(3) and 26(10), and LED, article 25, ask for).

    A field that ends in `_hmac` holds commitments (`commitment`). Absent fields are not written. The commands fill no
    `role`: an account of the system has none.

    Attributes:
        act: What was done.
        actor: Account that did it; a pseudonym that the laboratory can resolve.
        role: In which the account did it.
        case: Id of the case, random, so that it says nothing by itself.
        started: UTC, as `now` writes it; the log itself says when the act ended.
        purpose_hmac: Of the purpose.
        basis_hmac: Of the legal basis.
        index: `id` and `generation`; of a search also `rows`, before the filter, and the `sha256` of that state.
        filters_hmac: Of the filter, which may name somebody.
        probe_hmac: Of the SHA-256 of the probe photo's bytes.
        words_hmac: Of each line of the description.
        words_origin: In a case `witness`, `made from the probe picture`, `made from other pictures` or `unknown`.
        processing: Steps between the photo as received and what was encoded.
        contract: `model_id`.
        calibration: Digest of the calibration that made the likelihood ratios.
        cohort: Digest of the cohort that the likelihood ratios and scores were corrected with.
        list_length: Candidates asked for.
        candidates: Of each: `row`; where somebody asked what its score is worth, `lr` (log10) and whether it is
            `bounded`, or the reason code `refused`.
        result_hmac: Of the answer's RFC 8785 bytes.
        details: Numbers and codes of this act alone; nothing personal.
        removed: (first, last) of each run of entries whose bodies this act removed.
    """

    act: Act
    actor: str = ""
    role: str = ""
    case: str = ""
    started: str = field(default_factory=now)
    purpose_hmac: str = ""
    basis_hmac: str = ""
    index: Mapping[str, Any] = field(default_factory=dict)
    filters_hmac: str = ""
    probe_hmac: str = ""
    words_hmac: tuple[str, ...] = ()
    words_origin: str = ""
    processing: tuple[str, ...] = ()
    contract: Mapping[str, Any] = field(default_factory=dict)
    calibration: str = ""
    cohort: str = ""
    list_length: int | None = None
    candidates: tuple[Mapping[str, Any], ...] = ()
    result_hmac: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[tuple[int, int], ...] = ()

    def canonical(self, *, seq: int, prev: str, software: str) -> bytes:
        """The bytes that are logged.

        Args:
            seq: Place in the log.
            prev: SHA-256 of the signature line before it, in hex.
            software: Name and version of what writes.

        Raises:
            AuditError: A value is none of JSON.
        """
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        own = {name: value for name, value in told.items() if value not in ("", (), {}, None)}
        ending = {"format": FORMAT, "seq": seq, "prev": prev, "ended": now(), "software": software}
        return canonical({**own, "act": str(self.act), **ending})


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of plain values.

    Raises:
        AuditError: A value is none of JSON: another type, a number that is not finite, a whole number beyond 2^53.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise AuditError("an entry of the audit log", found=str(error), expected="plain JSON values") from error


def commitment(key: bytes, value: bytes | str) -> str:
    """HMAC-SHA-256(key, value) in hex: stands in the log for what may not be read there.

    Once the key is destroyed nobody can tell any more what it stands for, not even by trying all names.
    """
    return hmac.new(key, value.encode() if isinstance(value, str) else value, hashlib.sha256).hexdigest()
