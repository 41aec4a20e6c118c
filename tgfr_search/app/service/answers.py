"""Answers kept by their Idempotency-Key: a request that is sent again is not carried out again."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from fastapi import Response

from tgfr_search.app.service.database import Database
from tgfr_search.app.service.problems import Problem

KEPT_S = 24 * 3600.0
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_HEADERS = ("location", "etag")


@dataclass(frozen=True)
class Request:
    """A request that may come again.

    Attributes:
        account: Who sends it.
        key: Of the header.
        sha256: Of all that was asked.
        process: Which run of the service has it.
    """

    account: str
    key: str
    sha256: str
    process: str


def begin(database: Database, request: Request) -> Response | None:
    """The answer of before; None where it is to be carried out now.

    Where the service was killed before it had answered, it is carried out again: each act is of a kind that leaves one
    thing when it is done twice.

    Raises:
        Problem: The key is none, belongs to another request, or is at work.
    """
    if not _KEY.fullmatch(request.key):
        raise Problem(400, "bad_idempotency_key", "found: an Idempotency-Key that is empty, too long or not ASCII")
    with database.write() as connection:
        connection.execute("DELETE FROM answers WHERE created < ?", (time.time() - KEPT_S,))
        where = (request.account, request.key)
        row = connection.execute("SELECT * FROM answers WHERE account = ? AND key = ?", where).fetchone()
        if row is not None and row["request_sha256"] != request.sha256:
            raise Problem(422, "idempotency_key_reused", "this Idempotency-Key belongs to another request")
        if row is not None and row["status"] is None and row["process"] == request.process:
            raise Problem(409, "at_work", "this request is being carried out", headers={"Retry-After": "1"})
        if row is not None and row["status"] is not None:
            headers = {**json.loads(row["headers"]), "Idempotency-Replayed": "true"}
            return Response(row["body"], row["status"], headers, row["media_type"])
        connection.execute(
            "INSERT OR REPLACE INTO answers (account, key, request_sha256, process, created) VALUES (?, ?, ?, ?, ?)",
            (*where, request.sha256, request.process, time.time()),
        )
    return None


def keep(database: Database, request: Request, answer: Response) -> None:
    """Keeps an answer that says that something was done; any other may be asked for again."""
    if answer.status_code >= 400 or not isinstance(answer.body, bytes):
        forget(database, request)
        return
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    with database.write() as connection:
        connection.execute(
            "UPDATE answers SET status = ?, media_type = ?, headers = ?, body = ? WHERE account = ? AND key = ?",
            (
                answer.status_code,
                answer.headers.get("content-type"),
                json.dumps(headers),
                answer.body,
                request.account,
                request.key,
            ),
        )


def forget(database: Database, request: Request) -> None:
    """Nothing was done: the same key may be used again."""
    with database.write() as connection:
        connection.execute("DELETE FROM answers WHERE account = ? AND key = ?", (request.account, request.key))
