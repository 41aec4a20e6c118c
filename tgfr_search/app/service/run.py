"""Listening: the one door to the network."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from cryptography import x509

from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.enrolling import Enroller
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.settings import Settings
from tgfr_search.errors import InputError


def listen(settings: Settings) -> socket.socket:
    """A socket at the address that is served.

    Raises:
        InputError: The port is in use, or the address is not this machine's; or the certificate cannot be used.
    """
    if settings.tls_cert is not None and settings.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"--tls-cert {settings.tls_cert}", found=str(error), expected="a certificate and its own key, PEM"
            ) from error
        _need_valid_now(settings.tls_cert)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
    except OSError as error:
        made.close()
        busy = error.errno == errno.EADDRINUSE
        raise InputError(
            f"--bind {settings.host}:{settings.port}",
            found="a port in use" if busy else error.strerror or str(error),
            expected="an address of this machine and a free port",
            do="stop what listens there, or give another port" if busy else "",
        ) from error
    return made


def _need_valid_now(path: Path) -> None:
    """Refuses a certificate that every browser would refuse.

    Raises:
        InputError: Its time is over, or has not come.
    """
    first, now = x509.load_pem_x509_certificates(path.read_bytes())[0], datetime.now(UTC)
    begins, ends = first.not_valid_before_utc, first.not_valid_after_utc
    if not begins <= now <= ends:
        raise InputError(
            f"--tls-cert {path}",
            found=f"a certificate from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}",
            expected="one that is valid now",
            do="renew it, or set this machine's clock",
        )


def run(hub: Hub, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serves until the process is told to stop; requests at work are answered first.

    Args:
        hub: What is served.
        listening: From `listen`.
        ready: Called once requests are taken.
    """
    settings = hub.settings
    _log_to_standard_error()
    app = make_app(hub)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=30,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    enroller = Enroller(hub)
    enroller.start()
    ready()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        enroller.stop()


def _log_to_standard_error() -> None:
    logger = logging.getLogger("tgfr_search.service")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
