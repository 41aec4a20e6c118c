"""Who may do what: each route names its roles, and one that names none cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Role(StrEnum):
    """What an account is for. Stored: never rename one."""

    ENROLLER = "enroller"
    """Keeps the gallery; sees no case."""
    EXAMINER = "examiner"
    """Opens cases, searches, compares, decides."""
    REVIEWER = "reviewer"
    """Compares as another person, and releases."""
    AUDITOR = "auditor"
    """Reads the log; sees no face."""
    ADMIN = "admin"
    """Keeps accounts; sees no face, and deletes no log."""


ANYBODY: frozenset[Role] = frozenset()
"""Of a route that asks for no account: the way in, and what says that the service lives."""
SIGNED_IN = frozenset(Role)
CASEWORK = frozenset({Role.EXAMINER, Role.REVIEWER})


FOR_PROGRAMS = ("/livez", "/readyz", "/metrics", "/openapi.json")
"""What programs ask for by names that are everywhere the same."""


@dataclass(frozen=True)
class Route:
    """One way to ask for one thing.

    Attributes:
        method: Of HTTP.
        path: With its parameters in braces.
        roles: Who may; `ANYBODY` where no account is asked for.
        endpoint: What answers.
        options: Of `FastAPI.add_api_route`.
    """

    method: str
    path: str
    roles: frozenset[Role]
    endpoint: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_page(self) -> bool:
        """Whether it is made for a person's browser."""
        return not self.path.startswith("/api/") and self.path not in FOR_PROGRAMS


class Routes:
    """The routes of one module, gathered by decorators.

    >>> routes = Routes()
    >>> @routes("GET", "/api/v1/things", {Role.EXAMINER})
    ... def things() -> list[str]: ...
    """

    def __init__(self) -> None:
        self.all: list[Route] = []

    def __call__(
        self, method: str, path: str, roles: Collection[Role], **options: Any
    ) -> Callable[[Endpoint], Endpoint]:
        """Adds the function below it as the answer to `method` on `path` for these roles alone."""

        def add(endpoint: Endpoint) -> Endpoint:
            self.all.append(Route(method, path, frozenset(roles), endpoint, options))
            return endpoint

        return add


def table(parts: Iterable[Routes]) -> list[Route]:
    """All routes, each method and path once.

    Raises:
        ValueError: Two answer to the same.
    """
    found = [route for part in parts for route in part.all]
    seen: set[tuple[str, str]] = set()
    for route in found:
        if (route.method, route.path) in seen:
            raise ValueError(f"{route.method} {route.path} is there twice")
        seen.add((route.method, route.path))
    return found
