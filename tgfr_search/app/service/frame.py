"""Around every answer: headers that hold a browser to our policy, counts, and one line of log without personal data."""

from __future__ import annotations

import json
import logging
import secrets
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.problems import too_many_bytes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
log = logging.getLogger("tgfr_search.service")


class Frame:
    """Middleware around the application.

    Args:
        app: What answers.
        hub: Settings and counters.
    """

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app, self._hub = app, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, number = time.perf_counter(), secrets.token_hex(6)
        told: dict[str, Any] = {"status": 500}

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Request-Id"] = number
                if self._hub.settings.secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        scope.setdefault("state", {})["request_id"] = number
        try:
            await self._app(scope, self._limited(receive), framed)
        finally:
            self._count(scope, told["status"], time.perf_counter() - started, number)

    def _limited(self, receive: Receive) -> Receive:
        """`receive` that stops where more comes than may."""
        limit, total = self._hub.settings.limits.upload_bytes, 0

        async def limited() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > limit:
                # Of starlette's kind: FastAPI makes any other error in a body that it reads a 400.
                raise HTTPException(413, too_many_bytes(limit).detail)
            return message

        return limited

    def _count(self, scope: Scope, status: int, seconds: float, number: str) -> None:
        # The route with its braces, never the path: a path may hold an id that a person chose.
        route = getattr(scope.get("route"), "path", "none")
        metrics = self._hub.metrics
        metrics.requests.labels(scope["method"], route, status).inc()
        metrics.seconds.labels(scope["method"], route).observe(seconds)
        line = {"request": number, "method": scope["method"], "route": route, "status": status}
        log.info(json.dumps({**line, "ms": round(1000 * seconds, 1)}))
