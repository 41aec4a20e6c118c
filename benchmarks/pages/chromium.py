"""A Chromium that a script drives over the DevTools protocol: a socket of the standard library, no driver."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

WAITS_S = 60.0
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def chromium() -> str | None:
    """Where a Chromium is; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab.

    Args:
        address: Of its WebSocket.
    """

    def __init__(self, address: str) -> None:
        where = urlsplit(address)
        self._socket = socket.create_connection((where.hostname or "", where.port or 80), timeout=WAITS_S)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._socket.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(1)
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise ConnectionError(answer.decode("latin-1"))
        self._number, self.heard = 0, list[dict[str, Any]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Calls a method of the protocol; events that come meanwhile are kept in `heard`."""
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": method, "params": given}).encode())
        while True:
            told = self._read()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result
            self.heard.append(told)

    def value(self, expression: str) -> Any:
        """What an expression, or the promise that it is, evaluates to."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"])[:2000])
        return told["result"].get("value")

    def go(self, address: str) -> None:
        """Opens an address, and waits until it is loaded."""
        self.call("Page.enable")
        self.heard.clear()
        self.call("Page.navigate", url=address)
        self.loaded()

    def loaded(self) -> list[dict[str, Any]]:
        """Waits for the next page to be loaded; returns the events until then."""
        while not any(each.get("method") == "Page.loadEventFired" for each in self.heard):
            self.heard.append(self._read())
        heard, self.heard = self.heard, []
        return heard

    def press(self, key: str, *, code: str = "", text: str = "") -> None:
        """Presses a key of the keyboard, as a person does."""
        numbers = {"Enter": 13, "Tab": 9, " ": 32, "ArrowUp": 38, "ArrowDown": 40}
        given = {"key": key, "code": code or key, "windowsVirtualKeyCode": numbers.get(key, ord(key[0].upper()))}
        text = text or {"Enter": "\r", "Tab": ""}.get(key, key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def click(self, where: str, x: float = 0.5, y: float = 0.5) -> None:
        """Clicks on what a selector finds, at a part of its width and height."""
        box = f"((b) => [b.left + {x} * b.width, b.top + {y} * b.height])"
        left, top = self.value(f"{box}(document.querySelector({json.dumps(where)}).getBoundingClientRect())")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=left, y=top, button="left", clickCount=1)

    def size(self, width: int, height: int) -> None:
        """Gives the page so many pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path, *, quality: int = 80, whole: bool = True) -> None:
        """Keeps what the page looks like, as WebP."""
        told = self.call("Page.captureScreenshot", format="webp", quality=quality, captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _send(self, data: bytes, kind: int = TEXT) -> None:
        length = len(data)
        if length < 126:
            size = bytes([0x80 | length])
        elif length <= 0xFFFF:
            size = b"\xfe" + struct.pack(">H", length)
        else:
            size = b"\xff" + struct.pack(">Q", length)
        mask = secrets.token_bytes(4)
        whole = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(data) ^ int.from_bytes(whole)).to_bytes(length) if length else b""
        self._socket.sendall(bytes([0x80 | kind]) + size + mask + masked)

    def _read(self) -> dict[str, Any]:
        message = b""
        while True:
            first, second = self._exactly(2)
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(self._exactly(2 if length == 126 else 8))
            part = self._exactly(length)
            if first & 0x0F == CLOSE:
                raise ConnectionError("the browser closed the page")
            if first & 0x0F == PING:
                self._send(part, PONG)
                continue
            message += part
            if first & 0x80:
                told: dict[str, Any] = json.loads(message)
                return told

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise ConnectionError("the browser went away")
            parts += part
        return bytes(parts)


@contextmanager
def browsing(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A browser with nobody's profile, and its only tab.

    Args:
        width: Of the window, in pixels.
        height: Of it.

    Raises:
        RuntimeError: There is no Chromium, or it does not start.
    """
    path = chromium()
    if path is None:
        raise RuntimeError("no Chromium on this machine: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-first-run", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        given = ["--remote-debugging-port=0", f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        process = subprocess.Popen(
            [path, *options, *given, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with Page(_tab(Path(profile), process)) as page:
                yield page
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _tab(profile: Path, process: subprocess.Popen[bytes]) -> str:
    until, told = time.monotonic() + WAITS_S, profile / "DevToolsActivePort"
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, ValueError, IndexError, StopIteration):
            port = int(told.read_text().splitlines()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                tabs = json.loads(answer.read())
            return str(next(each for each in tabs if each["type"] == "page")["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise RuntimeError("Chromium does not start")
