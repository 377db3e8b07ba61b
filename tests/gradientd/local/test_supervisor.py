"""The supervisor with real processes: order, restarts, and that nothing is ever left behind."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gradientd.local.valkey import url_of_running
from tests.conftest import free_port, wait_until
from tests.disk import fill
from tests.gradientd.running import RunningStack, is_running

Start = Callable[..., RunningStack]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a stack of stand-ins; in a data directory of its own unless one is named."""
    with ExitStack() as running:

        def start(*options: str, data_dir: str = "data") -> RunningStack:
            (tmp_path / data_dir).mkdir(exist_ok=True)
            return running.enter_context(RunningStack(tmp_path / data_dir, *options))

        yield start


def test_every_part_is_announced_then_the_address(start: Start) -> None:
    stack = start("--workers", "2")
    url = stack.url
    for part in ("valkey", "api", "worker-1", "worker-2"):
        assert re.search(rf"^{part} is ready", stack.output, re.MULTILINE)
    assert re.search(r"^worker-2 \| hello from worker-2-[0-9a-f]{4}$", stack.output, re.MULTILINE)
    assert "\x1b" not in stack.output
    assert len(httpx.get(f"{url}/v1/workers", trust_env=False).json()["data"]) == 2


def test_interrupt_stops_workers_then_api_then_store(start: Start) -> None:
    stack = start("--workers", "2")
    stack.wait_for("up at")
    pids = stack.pids()
    stack.process.send_signal(signal.SIGINT)
    assert stack.exit_code() == 0
    ends = [line.split()[1] for line in stack.journal() if line.startswith("ends")]
    assert [name[:7] for name in ends] == ["worker-", "worker-", "api"]
    assert "ready to exit, bye bye" in stack.output
    assert len(pids) == 6
    assert not [pid for pid in pids if is_running(pid)]
    assert not (stack.data_dir / "stack.json").exists()


def test_kill_9_of_the_supervisor_leaves_no_process(start: Start) -> None:
    stack = start("--workers", "2")
    stack.wait_for("up at")
    mains = [stack.pid_of("api"), stack.pid_of("worker-1"), stack.pid_of("worker-2"), *stack.store_pids()]
    stack.process.kill()
    wait_until(lambda: not any(is_running(pid) for pid in mains), what="the end of every part")
    assert stack.process.wait(10) == -signal.SIGKILL


def test_kill_9_of_the_supervisor_frees_the_directory_and_keeps_the_data(start: Start) -> None:
    killed = start()
    killed.wait_for("up at")
    killed.process.kill()
    again = start()
    again.wait_for("up at")
    again.process.send_signal(signal.SIGTERM)
    assert again.exit_code() == 0


@pytest.mark.parametrize("part", ["worker-1", "api"])
def test_a_part_that_dies_is_started_again_and_leaves_no_child(start: Start, part: str) -> None:
    stack = start()
    stack.wait_for("up at")
    main, grandchild = stack.pid_of(part), stack.pid_of("grandchild")
    kill_9(main)
    stack.wait_for(rf"{part} was killed by SIGKILL; starting it again in 0\.05 s")
    stack.wait_for(rf"{part} is ready", times=2)
    assert stack.pid_of(part) != main
    if part == "worker-1":
        assert not is_running(grandchild)


def test_the_store_is_started_again_at_its_address(start: Start) -> None:
    stack = start()
    stack.wait_for("up at")
    kill_9(stack.store_pids()[-1])
    stack.wait_for(r"valkey is ready", times=2)
    assert len(set(re.findall(r"valkey is ready after [\d.]+ s: (\S+),", stack.output))) == 1


def test_a_part_that_never_becomes_ready_ends_the_stack_with_its_last_words(start: Start) -> None:
    stack = start("--worker", "broken")
    assert stack.exit_code() == 1
    assert stack.output.count("starting it again") == 2
    assert "worker-1 exited with code 1 before it was ready, 3 times" in stack.output
    assert stack.output.rstrip().endswith("  cannot find the flux capacitor")
    assert not [pid for pid in stack.pids() if is_running(pid)]


def test_a_second_interrupt_hurries(start: Start) -> None:
    stack = start("--worker", "stubborn")
    stack.wait_for("up at")
    worker, grandchild = stack.pid_of("worker-1"), stack.pid_of("grandchild")
    stack.process.send_signal(signal.SIGINT)
    wait_until(lambda: any(line.startswith("ignores") for line in stack.journal()), what="the worker's refusal")
    stack.process.send_signal(signal.SIGINT)
    assert stack.exit_code() == 0
    assert "hurrying" in stack.output
    assert not is_running(worker)
    assert not is_running(grandchild)


def test_a_second_stack_on_a_directory_is_refused(start: Start) -> None:
    first = start()
    url = first.url
    second = start()
    assert second.exit_code() == 1
    assert f"{first.data_dir} is in use by the stack at {url} (pid {first.process.pid})" in second.output
    assert len(second.lines) == 1
    assert first.process.poll() is None


def test_stacks_in_two_directories_do_not_disturb_each_other(start: Start) -> None:
    first, second = start(data_dir="first"), start(data_dir="second")
    assert first.url != second.url
    first.process.send_signal(signal.SIGTERM)
    assert first.exit_code() == 0
    assert httpx.get(f"{second.url}/readyz", trust_env=False).is_success


def test_a_taken_port_is_named_before_anything_starts(start: Start) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        stack = start("--port", str(port))
        assert stack.exit_code() == 1
    assert stack.lines == [
        f"cannot listen on 127.0.0.1, port {port}: Address already in use; "
        "name another with --port (0 takes a free one)"
    ]
    assert list(stack.data_dir.iterdir()) == []


def test_a_part_that_cannot_be_started_is_tried_again_until_it_can(start: Start) -> None:
    stack = start()
    stack.wait_for("up at")
    configuration = stack.data_dir / "valkey" / "valkey.conf"
    kept = configuration.rename(configuration.with_suffix(".kept"))
    configuration.mkdir()
    kill_9(stack.store_pids()[-1])
    stack.wait_for(r"valkey could not be started \(\[Errno 21\] Is a directory: [^)]*\); starting it again in", times=3)
    configuration.rmdir()
    identity = kept.rename(configuration).stat().st_ino
    stack.wait_for("valkey is ready", times=2)
    assert "starting it again in 0.4 s" in stack.output
    assert configuration.stat().st_ino == identity, "what had not changed was written again"


@pytest.mark.parametrize(
    "deleted",
    [
        "",
        "valkey",
        "valkey/appendonlydir",
        "valkey/appendonlydir/appendonly.aof.manifest",
        "valkey/appendonlydir/appendonly.aof.1.incr.aof",
    ],
)
def test_deleted_data_end_the_stack_and_are_not_made_anew(start: Start, deleted: str) -> None:
    stack = start()
    stack.wait_for("up at")
    gone = Path(stack.data_dir, deleted)
    if gone.is_dir():
        shutil.rmtree(gone)
    else:
        gone.unlink()
    assert stack.exit_code() == 1
    said = rf"^{gone}\S* was deleted or replaced while the stack ran; valkey was killed, and all is stopped$"
    assert re.search(said, stack.output, re.MULTILINE)
    assert "starting it again" not in stack.output
    assert not (gone / "valkey.conf").exists()
    assert not any(map(is_running, stack.store_pids()))


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("name", [b"d\xff\xfe", "dätä\n日本".encode()])
def test_the_data_directory_may_have_any_name(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: bytes, variables: dict[str, str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    stack = start(data_dir=os.fsdecode(name))
    stack.wait_for("up at")
    assert os.listdir(os.path.join(os.fsencode(stack.data_dir), b"valkey", b"appendonlydir"))
    stack.process.send_signal(signal.SIGTERM)
    assert stack.exit_code() == 0


def test_a_full_disk_stops_the_store_until_there_is_room_again(start: Start, small_disk: Path) -> None:
    stack = start(data_dir=str(small_disk))
    stack.wait_for("up at")
    url = url_of_running(stack.data_dir)
    assert url
    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:

        def writes() -> bool:
            try:
                return bool(client.set("after", "x" * 10_000))
            except redis.ConnectionError:
                return False

        client.set("before", "1")
        fill(small_disk)
        wait_until(lambda: not writes(), what="the last room to be taken")
        stack.wait_for(r"valkey exited with code 1; starting it again")
        assert not writes()
        (small_disk / "filler").unlink()
        wait_until(writes, what="room")
        assert client.get("before") == b"1"
    stack.process.send_signal(signal.SIGTERM)
    assert stack.exit_code() == 0
    assert "Traceback" not in stack.output


def kill_9(pid: int) -> None:
    """Kill a process, and see it gone."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), what=f"the end of {pid}")
