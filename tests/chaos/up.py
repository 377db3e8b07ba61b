"""`gradientd up` for this suite: the product's own supervisor and stack, with points, two APIs and a line in between.

Clients reach the store through the harness' line (`tests.chaos.line`), which can cut it at any word.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from gradientd.local.output import Stream
from gradientd.local.probes import Probes
from gradientd.local.process import Launch
from gradientd.local.service_runner import Patience, Service
from gradientd.local.stack import Plan, Stack, module
from jobs.settings import Settings

PATIENCE = Patience(first_pause_seconds=0.5, longest_pause_seconds=1.0, healthy_after_seconds=5.0, starts=50)


class ChaosStack(Stack):
    """The product's stack, with a second API beside the first."""

    def __init__(self, plan: Plan, *, output: Stream, line_port: int, second_port: int, address: Path) -> None:
        super().__init__(plan, output=output)
        assert self._store
        self._second_port = second_port
        real = urlsplit(self._store.url)
        by_line = SecretStr(f"redis://:{real.password}@127.0.0.1:{line_port}/0")
        self._settings = self._settings.model_copy(update={"redis_url": by_line})
        draft = address.with_suffix(".draft")
        draft.write_text(self._store.url)
        draft.replace(address)

    def _tiers(self, probes: Probes) -> list[list[Service]]:
        store, apis, workers = super()._tiers(probes)
        environment = {**self._environment(), "GRADIENTD_PORT": str(self._second_port)}
        second = replace(
            apis[0],
            name="api-2",
            launch=lambda: Launch(name="api-2", command=self._plan.api_command, environment=environment),
        )
        return [store, [*apis, second], workers]


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings(threads=1)  # one for each worker, whatever the machine: a CNN's bits depend on it
    plan = Plan(
        settings=settings,
        workers=2,
        api_command=module("tests.chaos.api_main"),
        worker_command=module("tests.chaos.worker_main"),
        patience=PATIENCE,
    )
    stack = ChaosStack(
        plan,
        output=Stream(sys.stdout),
        line_port=int(os.environ["CHAOS_LINE_PORT"]),
        second_port=int(os.environ["CHAOS_SECOND_PORT"]),
        address=Path(os.environ["CHAOS_DIR"], "store"),
    )
    with stack:
        asyncio.run(stack.run())


if __name__ == "__main__":
    main()
