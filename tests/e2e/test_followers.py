"""Whoever follows a job has each of its events once, whatever is killed and cut off meanwhile."""

import threading
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from gradientd import Client
from tests.conftest import wait_until
from tests.e2e.test_up import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CUTS = 20
PARTS = ("-m api", "-m worker", "valkey")
"""How the command lines of the parts are told."""


class Cut:
    """A reader of the HTML standard's rules that is cut off again and again, and goes on behind what it has."""

    def __init__(self, url: str, path: str) -> None:
        self._url, self._path = url, path
        self.events: list[dict[str, Any]] = []
        self.cuts = 0
        self.is_done = False

    def read(self) -> None:
        while not self.is_done:
            try:
                self._connection()
            except (httpx.TransportError, httpx.HTTPStatusError):
                continue

    def _connection(self) -> None:
        last = {"last-event-id": self.events[-1]["id"]} if self.events else {}
        headers = {"accept": "text/event-stream", **last}
        read, event = 0, dict[str, str]()
        with httpx.stream("GET", self._url + self._path, headers=headers, timeout=5, trust_env=False) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                event = {**event, name: value} if line else event
                if line or "data" not in event:
                    continue
                if "id" in event:
                    self.events.append({"id": event["id"], "type": event["event"]})
                    read += 1
                if event["event"] == "done":
                    self.is_done = True
                    return
                event = {}
                if read >= 3 and self.cuts < CUTS:
                    self.cuts += 1
                    return


def part(up: Up, which: str) -> psutil.Process:
    """The newest process of a part."""
    found = [
        each for each in psutil.Process(up.popen.pid).children(recursive=True) if which in " ".join(each.cmdline())
    ]
    assert found, which
    return max(found, key=psutil.Process.create_time)


def test_each_event_comes_once_over_kills_and_cuts(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    try:
        told: dict[str, list[Any]] = {"events": [], "all": []}
        spec = {
            "dataset": "mnist-10k",
            "epochs": 120,
            "model": {"type": "mlp", "hidden": [512, 512]},
            "max_attempts": 9,
        }
        with Client(up.url) as client:
            all_events = client.all_events(patience_seconds=60)

            def follow_all() -> None:
                for event in all_events:
                    told["all"].append(event)
                    if event.type == "done":
                        return

            def follow_job() -> None:
                for event in client.events(job_id, patience_seconds=60):
                    told["events"].append(event)

            listener = threading.Thread(target=follow_all)
            listener.start()
            job_id = client.submit(spec).id
            cut = Cut(up.url, f"/v1/jobs/{job_id}/events")
            readers = [
                listener,
                threading.Thread(target=follow_job),
                threading.Thread(target=cut.read),
            ]
            for reader in readers[1:]:
                reader.start()
            # Who has never been connected takes a server that is down for one that is not there.
            wait_until(lambda: told["events"] and cut.events, what="the first events")
            for which in PARTS:
                killed = part(up, which)
                epochs = up_epochs(client, job_id)
                killed.kill()
                wait_until(
                    lambda seen=epochs: up_epochs(client, job_id) > seen + 5,
                    what=f"epochs after the end of {which}",
                    timeout_seconds=60,
                )
            final = client.wait(job_id, timeout=120)
            for reader in readers:
                reader.join(60)
                assert not reader.is_alive()
            uncut = list(client.history(job_id, limit=1000))
    finally:
        up.close()
    assert final.status == "succeeded"
    assert final.attempt > 1
    ids = [event.id for event in uncut]
    assert uncut[-1].type == "done"
    assert len(set(ids)) == len(ids)
    assert [event.data["epoch"] for event in uncut if event.type == "metric"] == list(range(1, 121))
    assert [event.id for event in told["events"]] == ids
    assert [event["id"] for event in cut.events] == ids
    assert cut.cuts == CUTS
    of_all = [event.job_event_id for event in told["all"]]
    assert of_all == ids[len(ids) - len(of_all) :]
    assert len(of_all) > len(ids) / 2  # the first ones may be older than the stream


def up_epochs(client: Client, job_id: str) -> int:
    """Epochs that are done; -1 while nobody can say."""
    try:
        latest = client.get(job_id).metrics.latest
    except Exception:  # noqa: BLE001 (a part was killed)
        return -1
    return latest.epoch if latest else 0
