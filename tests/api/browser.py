"""A real browser with one page, driven by its DevTools protocol: Debian's Chromium, where it is installed."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
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

KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "Space": (32, " "),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Delete": (46, ""),
}
"""Keys that are no characters: their numbers, and the text that they make."""

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

    def shows(self, selector: str, text: str = "", *, timeout_seconds: float = 30) -> None:
        """Wait until what the selector names is there, and has the text."""
        wait_until(
            lambda: (
                self.evaluate(f"document.querySelector({json.dumps(selector)}) !== null")
                and text in self.text(selector)
            ),
            what=f"{text!r} in {selector}",
            timeout_seconds=timeout_seconds,
        )

    # --- what a person does ---------------------------------------------------------------------------

    def go(self, url: str) -> None:
        """Leave for another page: always a new one, whatever part of the address differs."""
        self._ask("Page.navigate", {"url": "about:blank"})
        self._ask("Page.navigate", {"url": url})

    def resize(self, width: int, height: int = 900) -> None:
        """A window of so many pixels; below 500 it is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._ask("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """The system's colours: `light` or `dark`."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self._ask("Emulation.setEmulatedMedia", {"features": features})

    def press(self, key: str, *, times: int = 1) -> None:
        """Press a key: a character, or one of `KEYS`."""
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()) if key.isalnum() else 0, key)
        event = {"key": key if key != "Space" else " ", "code": key, "windowsVirtualKeyCode": code}
        for _ in range(times):
            self._ask("Input.dispatchKeyEvent", {"type": "keyDown", **event, **({"text": text} if text else {})})
            self._ask("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def type(self, text: str) -> None:
        """Type a text in the place of what is in the field."""
        self.evaluate("document.activeElement.select()")
        for character in text:
            self.press(character)

    def tab_to(self, selector: str, *, most: int = 120) -> None:
        """Press Tab until the focus is on what the selector names."""
        for _ in range(most):
            if self.evaluate(f"document.activeElement?.matches({json.dumps(selector)}) ?? false"):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    def draw(self, selector: str, points: Sequence[tuple[float, float]]) -> None:
        """Draw a line with the mouse; points are shares of the element's width and height."""
        left, top, width, height = self._box(selector)
        places = [{"x": left + x * width, "y": top + y * height} for x, y in points]
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        for n, place in enumerate(places):
            self._ask("Input.dispatchMouseEvent", {"type": "mouseMoved" if n else "mousePressed", **held, **place})
        self._ask("Input.dispatchMouseEvent", {"type": "mouseReleased", **held, "buttons": 0, **places[-1]})

    def drop(self, selector: str, path: Path) -> None:
        """Drag a file over the element and let it go there."""
        left, top, width, height = self._box(selector)
        dragged = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            where = {"type": kind, "x": left + width / 2, "y": top + height / 2, "data": dragged}
            self._ask("Input.dispatchDragEvent", where)

    def keep_downloads(self, folder: Path) -> None:
        """Let what is downloaded go into this folder."""
        self._ask("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})

    def screenshot(self, into: Path) -> None:
        """Keep what is seen, as PNG."""
        result, _ = self._ask("Page.captureScreenshot", {"format": "png"})
        into.write_bytes(base64.b64decode(result["data"]))

    def _box(self, selector: str) -> list[float]:
        self.shows(selector)
        return self.evaluate(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            " it.scrollIntoView({block: 'center'});"
            " const box = it.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })()"
        )

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
                    found.append(f"{told['entry']['source']}: {told['entry']['text']} {told['entry'].get('url', '')}")
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
