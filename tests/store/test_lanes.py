"""Lanes: Python and Lua agree which wake queue serves which."""

import pytest
import redis

from jobs.spec import Spec
from store.lanes import MOST_GPUS, Lanes, lua_functions


@pytest.mark.parametrize("lane", [*Lanes.served_by(gpus=MOST_GPUS), "gpu:99"])
def test_lua_rings_the_same_wake_queue(client: redis.Redis, lane: str) -> None:
    assert client.eval(f"{lua_functions()}\nreturn wake_queue_of(ARGV[1])", 0, lane) == Lanes.wake_queue_of(lane)


def test_lua_knows_every_lane_of_every_wake_queue(client: redis.Redis) -> None:
    listed = "local t = {} for _, q in ipairs(wake_queues()) do t[#t + 1] = {q.name, q.lanes} end return t"
    gpus = ["gpu", *(f"gpu:{n}" for n in range(MOST_GPUS))]
    assert client.eval(f"{lua_functions()}\n{listed}", 0) == [["bells", ["any"]], ["bells-gpu", gpus]]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("auto", ("any", "bells")),
        ("cpu", ("any", "bells")),
        ("gpu", ("gpu", "bells-gpu")),
        ("gpu:3", ("gpu:3", "bells-gpu")),
    ],
)
def test_a_jobs_lane_follows_from_its_device(device: str, expected: tuple[str, str]) -> None:
    assert Lanes.of(Spec(device=device)) == expected
