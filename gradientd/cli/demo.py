"""`gradientd demo`: the whole service, one real job, and nothing left behind."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from gradientd.cli.display import display_for, print_line, watch
from gradientd.cli.exit_codes import ExitCode, of_job
from gradientd.cli.program import called_as
from gradientd.client import Client
from gradientd.client.errors import ServerUnreachable
from gradientd.client.follow import follow
from gradientd.local.stack import Plan, Stack
from jobs.errors import GradientdError
from jobs.escapes import escaped
from jobs.record import Job
from jobs.settings import Settings
from jobs.states import TERMINAL, Status

SPEC: dict[str, Any] = {"preset": "mnist-99", "dataset": "mnist-10k", "epochs": 5}
"""A small CNN on the digits that ship with the package: about 98.5 % in about ten seconds on two cores."""


class LogFile:
    """Output of a stack whose processes write to a file, and whose own words go to the console too.

    What the disk has no room for is lost.
    """

    def __init__(self, path: Path, console: Console) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._console = console

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()

    def say(self, text: str) -> None:
        """Announce something about the stack itself."""
        print_line(self._console, text)
        self._write(text)

    def forward(self, name: str, line: str) -> None:
        """Pass on one line that the process `name` wrote."""
        self._write(f"{name:<8} | {line}")

    def _write(self, line: str) -> None:
        with suppress(OSError):
            self._file.write(escaped(line.expandtabs()) + "\n")


class Visitor:
    """Uses the service as anybody would, over HTTP, on a thread of its own."""

    def __init__(self, url: str, *, api_key: str | None, console: Console, on_done: Callable[[], object]) -> None:
        self._url = url
        self._api_key = api_key
        self._console = console
        self._on_done = on_done
        self._thread = threading.Thread(target=self._visit, name="demo", daemon=True)
        self.exit_code = ExitCode.INTERRUPTED
        """How the visit ended, once it did."""

    def begin(self) -> None:
        """Start the visit."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the visit, which comes soon once the service has stopped."""
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _visit(self) -> None:
        try:
            with Client(self._url, api_key=self._api_key or "") as client:
                cancel_leftovers(client)
                job = self._train(client)
                self.exit_code = of_job(job.status)
        except ServerUnreachable:
            pass  # stopped by Ctrl-C
        except GradientdError as error:
            self.exit_code = ExitCode.FAILED
            print_line(self._console, f"the demo failed: {error}")
        finally:
            self._on_done()

    def _train(self, client: Client) -> Job:
        began_at = time.monotonic()
        job = client.submit(SPEC)
        for line in ("", f"POST {self._url}/v1/jobs {json.dumps(SPEC)}", f"job {job.id}"):
            print_line(self._console, line)
        job = watch(follow(client, job.id, patience_seconds=0), display_for(self._console, as_json=False))
        seconds = time.monotonic() - began_at
        accuracy = job.metrics.test_accuracy
        if job.status is Status.SUCCEEDED and accuracy is not None:
            print_line(self._console, "")
            print_line(
                self._console,
                f"test accuracy {accuracy:.2%}, {seconds:.1f} s from request to result, on the API at {self._url}",
            )
        return job


def run(settings: Settings, *, keep: bool, console: Console) -> ExitCode:
    """Start a stack in the data directory, train, stop. With `keep`, stop only on Ctrl-C."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log = settings.data_dir / "demo.log"
    output = LogFile(log, console)
    with Stack(Plan(settings=settings, workers=1), output=output) as stack:
        print_line(console, f"starting a store, the API and a worker; what they write goes to {log}")

        def on_done() -> None:
            if keep:
                print_line(console, f"it goes on: its page is at {stack.url}; Ctrl-C stops it")
            else:
                stack.request_stop()

        visitor = Visitor(stack.url, api_key=stack.api_key, console=console, on_done=on_done)
        asyncio.run(stack.run(on_ready=visitor.begin))
        visitor.join()
    output.close()
    print_line(console, f"everything is stopped; `{called_as()} up` starts it for good, with a page for your browser")
    return visitor.exit_code


def cancel_leftovers(client: Client) -> None:
    """Stop what an interrupted demo has left, so that it does not run before the new one's job."""
    for job in client.list(limit=100, status=tuple(set(Status) - TERMINAL)).data:
        client.cancel(job.id)
