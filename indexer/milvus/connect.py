"""The way to a Milvus server: every call has a time limit, and says what went wrong in the index's own errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from indexer.errors import MilvusError, MissingMilvusError

TIMEOUT = 30.0
TOKEN_VARIABLE = "TGFR_MILVUS_TOKEN"


@dataclass(frozen=True)
class Server:
    """Which Milvus.

    Attributes:
        uri: `http://host:19530` of a cluster (`https://` with TLS), or the path of a file ending in `.db`, which
            milvus-lite opens inside this process.
        timeout: Seconds that any one call may take.
        token: `user:password` or an API key; None takes it from the variable TGFR_MILVUS_TOKEN. A command line is no
            place for it: others can read that.
    """

    uri: str
    timeout: float = TIMEOUT
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (self.uri.startswith(("http://", "https://")) or self.uri.endswith(".db")):
            raise MilvusError(
                f"Milvus URI {self.uri!r}",
                found="neither an address nor a file",
                expected="http://HOST:19530, or FILE.db",
            )
        if not self.timeout > 0:
            raise MilvusError("time limit for Milvus", found=f"{self.timeout} s", expected="more than 0 s")

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turns what pymilvus raises into `MilvusError`.

        Args:
            doing: What is being asked, for the message.
        """
        pymilvus = import_pymilvus()
        try:
            yield
        except (pymilvus.MilvusException, OSError, ValueError, TypeError, RuntimeError) as error:
            raise MilvusError(
                f"Milvus at {self.uri}, {doing}",
                found=" ".join(str(getattr(error, "message", "") or error).split())[:500],
                expected=f"an answer within {self.timeout:g} s",
                do="check that the server runs, its address, and the token in " + TOKEN_VARIABLE,
            ) from error

    def connect(self) -> Any:
        """A client.

        Raises:
            MissingMilvusError: pymilvus, or milvus-lite for a file, is not installed.
            MilvusError: The server does not answer, or the file is another process's.
        """
        pymilvus = import_pymilvus()
        token = self.token if self.token is not None else os.environ.get(TOKEN_VARIABLE, "")
        with self.errors("connecting"):
            try:
                return pymilvus.MilvusClient(self.uri, token=token, timeout=self.timeout)
            except (ImportError, pymilvus.exceptions.ConnectionConfigException) as error:
                raise MissingMilvusError(
                    f"the Milvus file {self.uri}",
                    found=str(error),
                    expected="milvus-lite",
                    do="pip install milvus-lite (it needs faiss-cpu), or give the address of a server",
                ) from error


def import_pymilvus() -> Any:
    """The package `pymilvus`.

    Raises:
        MissingMilvusError: It is not installed.
    """
    try:
        import pymilvus
    except ImportError as error:
        raise MissingMilvusError(
            "the backend 'milvus'",
            found=f"no usable pymilvus ({error})",
            expected="pymilvus",
            do="pip install 'tgfr-search[milvus]'",
        ) from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it prints whole tracebacks of errors that it raises too
    return pymilvus
