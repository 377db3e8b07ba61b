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

BETWEEN_PAGES = ("Inspected target navigated or closed", "Cannot find default execution context")
"""What is answered while one page takes another's place."""


class Page:
    """What the browser shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression. Raises AssertionError where the page raises."""
        parameters = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        result, _ = self._ask("Runtime.evaluate", parameters)
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

    def complaints(self) -> list[str]:
        """What the browser has complained of since the page began: exceptions that nobody caught, and all that was
        blocked or failed."""
        found: list[str] = []
        for domain in ("Log", "Runtime"):
            self._ask(f"{domain}.disable", {})
            # The browser keeps them, and tells them anew to whoever begins to listen.
            _, events = self._ask(f"{domain}.enable", {})
            for event in events:
                told = event["params"]
                if event["method"] == "Log.entryAdded":
                    found.append(f"{told['entry']['source']}: {told['entry']['text']}")
                elif event["method"] == "Runtime.exceptionThrown":
                    found.append(json.dumps(told["exceptionDetails"]))
                elif event["method"] == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
                    found.append(json.dumps(told["args"]))
        return found

    def forget(self) -> None:
        """Complaints so far were expected."""
        for method in ("Log.clear", "Runtime.discardConsoleEntries"):
            self._ask(method, {})

    def _ask(self, method: str, parameters: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The result of a method, and the events before it. Asks again while one page takes another's place."""
        messages: list[dict[str, Any]] = []

        def answered() -> bool:
            messages[:] = self._exchange(method, parameters)
            return messages[-1].get("error", {}).get("message") not in BETWEEN_PAGES

        wait_until(answered, what="a page")
        *events, reply = messages
        assert "result" in reply, reply
        return reply["result"], events

    def _exchange(self, method: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What comes until the method is answered, and that answer."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        message: dict[str, Any] = {}
        while message.get("id") != self._sent:
            message = json.loads(self._socket.recv(timeout=30))
            yield message


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
