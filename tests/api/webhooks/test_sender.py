"""One request to a webhook: signed, to the address that was checked, over in a bounded time."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.webhooks.addresses import Resolver
from api.webhooks.sender import Answer, Sender
from jobs.webhook_messages import AttemptError
from tests.api.webhooks.receiver import OK, SECRET, Behaviour, Receiver, answer, babble, drop, hang, trickle

pytestmark = pytest.mark.anyio

BODY = '{"type":"job.succeeded","data":{"metadata":{"team":"é"}}}'
PUBLIC = "93.184.216.34"


class Names:
    """A resolver that gives one answer after the other, and counts."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        found = self.answers.pop(0)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found


@contextlib.asynccontextmanager
async def sending(
    resolve: Any = None, *, allow_private: bool = True, total_seconds: float = 5.0
) -> AsyncIterator[Callable[..., Any]]:
    resolver = Resolver()
    sender = Sender(
        resolve or resolver, allow_private=allow_private, user_agent="gradientd/test", total_seconds=total_seconds
    )
    try:
        yield lambda url: sender(url, BODY, message_id="msg_1", secret=SECRET)
    finally:
        await sender.aclose()
        resolver.close()


async def test_a_message_is_signed_for_its_receiver(anyio_backend: str, receiver: Receiver) -> None:
    async with sending() as send:
        assert await send(f"{receiver.url}?a=b%20c") == Answer(status_code=204)
    (told,) = receiver.told
    assert told.body.decode() == BODY
    assert told.verified()["type"] == "job.succeeded"
    assert told.path == "/hook?a=b%20c"
    assert told.headers["webhook-id"] == "msg_1"
    assert abs(int(told.headers["webhook-timestamp"]) - time.time()) < 5
    assert told.headers["content-type"] == "application/json"
    assert told.headers["user-agent"] == "gradientd/test"
    assert told.headers["host"] == f"127.0.0.1:{receiver.port}"
    with pytest.raises(WebhookVerificationError):
        told.verified("whsec_" + "A" * 32)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(told.body + b" ", told.headers)


@pytest.mark.parametrize("status", [200, 202, 299, 301, 307, 400, 410, 429, 500, 503])
async def test_the_status_is_told_and_redirects_are_not_followed(
    anyio_backend: str, receivers: Callable[..., Receiver], status: int
) -> None:
    elsewhere = receivers()
    receiver = receivers(answer(status, f"location: {elsewhere.url}", body=b"x" * 100))
    async with sending() as send:
        assert await send(receiver.url) == Answer(status_code=status)
    assert (len(receiver.told), elsewhere.told) == (1, [])


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (hang, "timed_out"),
        (trickle(b"", b"H"), "timed_out"),
        (trickle(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), "timed_out"),
        (trickle(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "timed_out"),
        (drop, "no_answer"),
        (babble, "no_answer"),
    ],
)
async def test_a_receiver_that_gives_no_answer_is_given_up_in_time(
    anyio_backend: str, receivers: Callable[..., Receiver], behaviour: Behaviour, error: AttemptError
) -> None:
    began = time.monotonic()
    async with sending(total_seconds=0.4) as send:
        assert await send(receivers(behaviour).url) == Answer(error=error)
    assert time.monotonic() - began < 2


async def test_an_answer_that_never_begins_is_cut_off(anyio_backend: str, receivers: Callable[..., Receiver]) -> None:
    def inform(connection: Any) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"HTTP/1.1 102 P\r\n\r\n" * 1000)

    async with sending(total_seconds=60) as send:
        began = time.process_time()
        assert await send(receivers(inform).url) == Answer(error="no_answer")
    assert time.process_time() - began < 5  # without a bound it is the request's whole time


async def test_names_whose_look_up_hangs_hold_up_no_others(
    anyio_backend: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, real, asked = threading.Event(), socket.getaddrinfo, list[str]()

    def look_up(host: str, *more: Any, **options: Any) -> Any:
        asked.append(host)
        if host.endswith(".slow"):
            released.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "silent")
        return real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with sending(total_seconds=10) as send, asyncio.TaskGroup() as group:
        for n in range(20):
            for _ in range(3):
                group.create_task(send(f"http://{n}.slow/"))
        await asyncio.sleep(0)
        assert await send(receiver.url) == Answer(status_code=204)
        assert await send(receiver.url.replace("127.0.0.1", "localhost")) == Answer(status_code=204)
        released.set()
    assert sorted(asked) == sorted([*(f"{n}.slow" for n in range(20)), "localhost"])


@pytest.mark.parametrize("size", ["", "content-length: 100000\r\n", "transfer-encoding: chunked\r\n"])
async def test_an_answer_counts_whatever_its_body_does(
    anyio_backend: str, receivers: Callable[..., Receiver], size: str
) -> None:
    began = time.monotonic()
    async with sending(total_seconds=0.4) as send:
        receiver = receivers(trickle(f"HTTP/1.1 200 OK\r\n{size}\r\n".encode(), b"1\r\nx\r\n"))
        assert await send(receiver.url) == Answer(status_code=200)
    assert time.monotonic() - began < 3


async def test_nobody_there(anyio_backend: str, receivers: Callable[..., Receiver]) -> None:
    async with sending() as send:
        assert await send(receivers(is_up=False).url) == Answer(error="connection_failed")
    async with sending(Names([])) as send:
        assert await send("https://hooks.example.org/") == Answer(error="name_not_found")


async def test_the_next_address_of_a_name_is_tried(anyio_backend: str, receiver: Receiver) -> None:
    async with sending(names := Names(["127.0.0.2", "127.0.0.1"])) as send:
        assert await send(f"http://hooks.example.org:{receiver.port}/") == Answer(status_code=204)
    assert names.asked == [("hooks.example.org", receiver.port)]
    assert receiver.told[0].headers["host"] == f"hooks.example.org:{receiver.port}"


# --- whom it must not reach -----------------------------------------------------------------------


async def test_a_name_of_this_machine_is_not_called(anyio_backend: str, receiver: Receiver) -> None:
    async with sending(allow_private=False) as send:
        for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]"):
            assert await send(f"http://{host}:{receiver.port}/") == Answer(error="address_not_allowed")
    assert receiver.told == []


async def test_one_private_address_among_others_is_enough(anyio_backend: str, receiver: Receiver) -> None:
    async with sending(Names([PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC]), allow_private=False) as send:
        for _ in range(2):
            assert await send(f"http://hooks.example.org:{receiver.port}/") == Answer(error="address_not_allowed")
    assert receiver.told == []


async def test_a_name_that_means_this_machine_at_the_second_look_is_not_called(
    anyio_backend: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []
    connect = anyio.connect_tcp

    async def instead(remote_host: str, remote_port: int, **given: Any) -> Any:
        connected.append(remote_host)
        return await connect("127.0.0.1", receiver.port)

    def looked_up(*_: object, **__: object) -> None:
        raise AssertionError("a second look-up")

    names = Names([PUBLIC], ["127.0.0.1"])
    async with sending(names, allow_private=False) as send:
        with monkeypatch.context() as patch:
            patch.setattr(anyio, "connect_tcp", instead)
            patch.setattr(socket, "getaddrinfo", looked_up)
            patch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up, raising=False)
            assert await send("http://hooks.example.org/") == Answer(status_code=204)
        # One look, and the connection went to what it had found.
        assert (names.asked, connected) == ([("hooks.example.org", 80)], [PUBLIC])
        assert receiver.told[0].headers["host"] == "hooks.example.org"
        # The next request looks anew, and does not use the connection that it could have kept.
        assert await send("http://hooks.example.org/") == Answer(error="address_not_allowed")
    assert (len(receiver.told), connected) == (1, [PUBLIC])


async def test_no_proxy_of_the_environment_is_used(
    anyio_backend: str, receivers: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receivers(), receivers()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    async with sending() as send:
        assert await send(receiver.url) == Answer(status_code=204)
    assert [told.path for told in receiver.told] == ["/hook"]
    assert not any("hook" in told.path for told in proxy.told)


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receivers: Callable[..., Receiver]) -> Receiver:
    """A receiver with a certificate for hooks.example.org that is trusted here."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hooks"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:hooks.example.org", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    receiver = receivers(is_up=False)
    receiver.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    receiver.tls.load_cert_chain(certificate, key)
    receiver.start()
    return receiver


async def test_the_certificate_must_be_for_the_name(anyio_backend: str, certified: Receiver) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.1"])
    async with sending(names) as send:
        assert await send(f"https://hooks.example.org:{certified.port}/") == Answer(status_code=204)
        assert await send(f"https://other.example.org:{certified.port}/") == Answer(error="tls_failed")
    assert [told.headers["host"] for told in certified.told] == [f"hooks.example.org:{certified.port}"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    anyio_backend: str, certified: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with sending(Names(["127.0.0.1"])) as send:
        assert await send(f"https://hooks.example.org:{certified.port}/") == Answer(error="tls_failed")
    assert certified.told == []


async def test_a_receiver_that_speaks_no_tls_is_given_up(
    anyio_backend: str, receivers: Callable[..., Receiver]
) -> None:
    async with sending(total_seconds=2) as send:
        receiver = receivers(OK)
        assert await send(f"https://127.0.0.1:{receiver.port}/") == Answer(error="tls_failed")
