"""How the service runs: what a command line says once, and nobody changes while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from pipelines.casework.case.lab import Lab
from tgfr_search.errors import InputError

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one client may ask for.

    Attributes:
        upload_bytes: Of one request.
        files: In one request.
        idle_s: Seconds after which a session that did nothing ends.
        session_s: Seconds after which any session ends.
        logins: Tries at once from one address, of any account.
        logins_a_minute: As many come back each minute.
        searches: At once, of one account.
        searches_a_minute: As many come back each minute.
        encoders: Searches that are encoded at the same moment; others wait for their turn.
    """

    upload_bytes: int = 64 * MIB
    files: int = 200
    idle_s: float = 15 * 60
    session_s: float = 12 * 3600
    logins: int = 10
    logins_a_minute: float = 6
    searches: int = 60
    searches_a_minute: float = 120
    encoders: int = 2


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Attributes:
        data: Folder with accounts, cases, log; made where it is not there.
        host: Address that is listened on.
        port: Its port.
        tls_cert: Certificate chain, PEM; None without TLS of its own.
        tls_key: Its key.
        behind_proxy: A proxy in front ends TLS and says who asks.
        insecure_loopback: Plain HTTP on this machine alone, to try it or test it.
        limits: What one client may ask for.
        lab: What the laboratory requires of every case.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8443
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    insecure_loopback: bool = False
    limits: Limits = Limits()
    lab: Lab = field(default_factory=Lab)

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InputError("--tls-cert, --tls-key", found="one of the two", expected="both or neither")
        ways = [self.tls_cert is not None, self.behind_proxy, self.insecure_loopback]
        if sum(ways) != 1:
            raise InputError(
                f"--bind {self.host}:{self.port}",
                found="none of them" if not any(ways) else "several of them",
                expected="one of: --tls-cert with --tls-key, --behind-proxy, --insecure-loopback",
                do="--insecure-loopback tries it on this machine alone, without TLS",
            )
        if self.insecure_loopback and not is_loopback(self.host):
            raise InputError(
                "--insecure-loopback",
                found=f"--bind {self.host}, which others reach",
                expected="an address of this machine alone, as 127.0.0.1",
                do="give --tls-cert and --tls-key, or --behind-proxy",
            )

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return not self.insecure_loopback

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; with `__Host-` a browser takes it from this very host by HTTPS alone."""
        return "__Host-tgfr" if self.secure else "tgfr"


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_bind(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, of IPv6 `[HOST]:PORT`.

    Raises:
        InputError: It is of another form.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise InputError("--bind", found=text, expected="HOST:PORT", do="--bind 127.0.0.1:8443")
    return host, int(port)
