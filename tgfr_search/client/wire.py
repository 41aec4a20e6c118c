"""Requests over HTTP: JSON or forms out, JSON or a problem (RFC 9457) in; sent again where no answer came."""

from __future__ import annotations

import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from tgfr_search.errors import TgfrError

TRIES, PAUSE_S, LONGEST_S = 4, 0.5, 5.0
BUSY = (429, 503)
"""Statuses after which the service says when to ask again."""
File = tuple[str, bytes]
"""(name, bytes) of a file that is sent."""


class ServiceError(TgfrError):
    """The service refused, or did not answer.

    Attributes:
        status: Of HTTP; 0 where there was no answer.
        code: Stable; decide by it.
        detail: For a person.
        retry_after: Seconds after which it may be asked again; 0 where it did not say.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, status: int = 0, code: str = "", detail: str = "", do: str = "", retry_after: float = 0.0
    ) -> None:
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        super().__init__(what, found=f"{status} {code}: {detail}" if status else detail, do=do)


@dataclass(frozen=True)
class Wire:
    """Where the service is, and as whom it is asked.

    Attributes:
        base: Address, as https://faces.example:8443.
        token: Of `tgfr-search token`.
        timeout_s: For one answer.
        context: Of TLS; None is the system's.
        tries: How often a request is sent until there is an answer.
    """

    base: str
    token: str
    timeout_s: float = 120.0
    context: ssl.SSLContext | None = None
    tries: int = TRIES

    def json(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """Asks with a JSON body, or none."""
        data = None if body is None else json.dumps(body).encode()
        return _read(self._asked(method, path, query, data, "application/json"))

    def form(self, path: str, fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, File]]) -> Any:
        """Sends a form with files."""
        data, kind = multipart(fields, files)
        return _read(self._asked("POST", path, None, data, kind))

    def file(self, path: str, query: Mapping[str, Any] | None = None) -> bytes:
        """Fetches a file."""
        return self._asked("GET", path, query, None, "")

    def _asked(self, method: str, path: str, query: Mapping[str, Any] | None, data: bytes | None, kind: str) -> bytes:
        """The body of the answer; a request that changes something carries one key through all of its tries.

        Raises:
            ServiceError: It is refused, or there is no answer.
        """
        url = f"{self.base.rstrip('/')}{quote(path)}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token.strip()}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = kind
        if method != "GET":
            headers["Idempotency-Key"] = secrets.token_hex(16)
        last, number, waited = ServiceError(path, detail="no answer"), 0, 0.0
        while number < self.tries:
            try:
                asked = urllib.request.Request(url, data, headers, method=method)
                with urllib.request.urlopen(asked, timeout=self.timeout_s, context=self.context) as answer:
                    return cast(bytes, answer.read())
            except urllib.error.HTTPError as error:
                last = _refused(path, error)
                if last.code == "at_work" and waited < self.timeout_s:  # an earlier try is being carried out
                    waited += (pause := last.retry_after or PAUSE_S)
                    time.sleep(pause)
                    continue
                if not (last.status in BUSY and last.retry_after):
                    raise last from None
            except (OSError, HTTPException) as error:  # the service restarts, or the line broke: nobody knows how far
                last = ServiceError(path, detail=f"{type(error).__name__}: {error}")
            number += 1
            if number < self.tries:
                time.sleep(last.retry_after or min(PAUSE_S * 2 ** (number - 1), LONGEST_S))
        raise last


def _read(body: bytes) -> Any:
    return json.loads(body) if body else None


def multipart(fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, File]]) -> tuple[bytes, str]:
    """A form's body, and its content type.

    Args:
        fields: (name, text) of each.
        files: (name, (file name, bytes)) of each.
    """
    line = secrets.token_hex(16)
    parts = list[bytes]()
    for name, text in fields:
        parts.append(f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    for name, (shown, data) in files:
        safe = quote(shown, safe=" .-_()")
        head = f'--{line}\r\nContent-Disposition: form-data; name="{name}"; filename="{safe}"\r\n'
        parts += [head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", data, b"\r\n"]
    return b"".join([*parts, f"--{line}--\r\n".encode()]), f"multipart/form-data; boundary={line}"


def as_file(given: Path | str | bytes) -> File:
    """A file to be sent: of a path with its name, of bytes without one."""
    if isinstance(given, bytes):
        return "photo", given
    path = Path(given)
    return path.name, path.read_bytes()


def _refused(path: str, error: urllib.error.HTTPError) -> ServiceError:
    try:
        with error:  # its connection too
            told = json.loads(error.read())
    except (ValueError, OSError):
        told = {}
    wait = error.headers.get("Retry-After") or "0"
    return ServiceError(
        path,
        status=error.code,
        code=str(told.get("code", "")),
        detail=str(told.get("detail", error.reason)),
        do=str(told.get("do", "")),
        retry_after=float(wait) if wait.isdecimal() else 0.0,
    )
