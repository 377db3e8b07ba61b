"""A real browser with one page, driven by its DevTools protocol: Debian's Chromium, where it is installed."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.conftest import wait_until

CHROMIUM = shutil.which("chromium")

# Nothing that asks for hosts of its own: tests stay on this machine.
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--remote-debugging-port=0",
)


class Page:
    """What the browser shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression. Raises AssertionError where the page raises."""
        self._sent += 1
        parameters = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        self._socket.send(json.dumps({"id": self._sent, "method": "Runtime.evaluate", "params": parameters}))
        while (reply := json.loads(self._socket.recv(timeout=30))).get("id") != self._sent:
            pass
        result = reply["result"]
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of what the selector names, or nothing."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def click(self, selector: str) -> None:
        """Click on it once it is there."""
        quoted = json.dumps(selector)
        wait_until(
            lambda: self.evaluate(f"document.querySelector({quoted}) !== null"), what=selector, timeout_seconds=30
        )
        self.evaluate(f"document.querySelector({quoted}).click()")


@contextmanager
def browsing(url: str, folder: Path) -> Iterator[Page]:
    """A page of a browser that keeps its things in this new folder."""
    assert CHROMIUM
    ports = folder / "DevToolsActivePort"
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder}", url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            wait_until(lambda: ports.exists() and ports.read_text().count("\n"), what="the browser", timeout_seconds=60)
            tabs = httpx.get(f"http://127.0.0.1:{ports.read_text().split()[0]}/json/list", trust_env=False).json()
            (address,) = (tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(address, max_size=None) as socket:
                yield Page(socket)
        finally:
            browser.terminate()
