"""Redis over TLS: API, Celery, the trainer's client and the probe of `up` believe the same servers, and no others.

Every test asks all of them, each in its own way, for what it makes of one URL.
"""

import gc
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kombu.pools
import pytest
import redis
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from structlog.testing import capture_logs

from api.app import create_app
from api.routes import service
from gradientd.local.probes import Probes
from jobs import store_address
from jobs.errors import Misconfigured, StoreUnavailable
from jobs.settings import Settings, load_settings
from store.calls import aconnect, connect, run
from store.doorbell import Doorbell, make_celery
from store.jobs import Store
from store.lanes import Lanes
from tests.api.conftest import talk_to
from tests.conftest import _server_binary, free_port, wait_until
from tests.tls import UNCLOSED, Authority, Listener, tls_before

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(60), *UNCLOSED]
SECRET = "s3cr3t"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that may be trusted."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def socket_path() -> Iterator[Path]:
    """Of the store's Unix socket: short, as pytest's own folders may be too deep."""
    with tempfile.TemporaryDirectory(prefix="gd-") as folder:
        yield Path(folder, "store.sock")


@pytest.fixture(scope="module")
def tls_port(authority: Authority, socket_path: Path) -> Iterator[int]:
    """Where a store with a password speaks TLS, with a certificate of the authority's."""
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", SECRET)
    here = ("--dir", str(socket_path.parent), "--unixsocket", str(socket_path))
    server = subprocess.Popen([_server_binary(), *here, *options], stdout=subprocess.DEVNULL)
    plain = Settings(redis_url=SecretStr(f"redis://:{SECRET}@127.0.0.1:{port}"))

    def answers() -> bool:
        try:
            with connect(plain) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    wait_until(answers, what="the store's first answer")
    try:
        with tls_before(port, authority.certificate()) as found:
            yield found
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(autouse=True)
def _much_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests takes its time over a handshake."""
    monkeypatch.setattr(service, "READY_SECONDS", 30)
    monkeypatch.setitem(store_address._TCP_DEFAULTS, "socket_connect_timeout", 30)


@pytest.fixture(autouse=True)
def _no_pools() -> Iterator[None]:
    """kombu keeps its pools for the whole process, by an address without what was said of certificates."""
    yield
    kombu.pools.reset()
    gc.collect()


def settings_of(url: str, **more: Any) -> Settings:
    """Settings of a stack of one's own, checked as those of a process are."""
    return load_settings(redis_url=SecretStr(url), namespace="tls", **more)


async def complaints(settings: Settings) -> dict[str, str | None]:
    """What each client says of the store, None where it has nothing to complain of."""
    found: dict[str, str | None] = {}
    async with Probes(settings=settings, api_url="http://test") as probes:
        found["probe"] = await probes.store_complaint()
    app = create_app(settings)
    async with app.router.lifespan_context(app), talk_to(app) as http:
        with capture_logs() as logs:
            answer = await http.get("/readyz")
        told = [entry["error"] for entry in logs if entry["event"] == "store_unavailable"]
        found["api"] = None if answer.is_success else told[0]
    with connect(settings) as client:
        try:
            run(client, Store.of(settings).check_health())
            found["trainer"] = None
        except StoreUnavailable as error:
            found["trainer"] = str(error)
    with closing(make_celery(settings)) as celery, celery.connection_for_read() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            found["worker"] = None
        except OperationalError as error:
            found["worker"] = str(error)
    return found


async def test_a_trusted_server_is_believed(
    authority: Authority, tls_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"rediss://:{SECRET}@localhost:{tls_port}/0"
    for trusting in (
        settings_of(url, redis_ca=authority.file),
        settings_of(url, redis_ca=authority.folder_in(tmp_path)),
        settings_of(f"{url}?ssl_ca_certs={authority.file}"),
    ):
        assert set((await complaints(trusting)).values()) == {None}
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert set((await complaints(settings_of(url))).values()) == {None}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (
            "unsigned",
            "its certificate is signed by nobody but itself; where that is meant, GRADIENTD_REDIS_CA names it (",
        ),
        ("a stranger's", "its certificate is signed by an authority that is not trusted here; where that is meant, "),
        ("expired", "its certificate has expired (certificate has expired). Nothing was sent to it"),
        (
            "another host's",
            "its certificate is another host's (Hostname mismatch, certificate is not valid for 'localhost')",
        ),
        ("none", "no connection over TLS came about (wrong version number)"),
    ],
)
async def test_any_other_is_refused_by_all_and_sent_no_password(
    shown: str, said: str, authority: Authority, tmp_path: Path
) -> None:
    certificates = {
        "unsigned": authority.unsigned,
        "a stranger's": Authority(tmp_path, name="stranger").certificate,
        "expired": lambda: authority.certificate(days=-1),
        "another host's": lambda: authority.certificate("elsewhere"),
        "none": lambda: None,
    }
    with Listener(certificates[shown]()) as listener:
        url = f"rediss://:{SECRET}@localhost:{listener.port}/0"
        found = await complaints(settings_of(url, redis_ca=authority.file, data_dir=tmp_path))
    assert listener.connections >= len(found)
    assert not [heard for heard in listener.heard if SECRET.encode() in heard or b"AUTH" in heard]
    raw = {name: complaint for name, complaint in found.items() if said not in (complaint or "")}
    # What Celery's own loop says is not in our words; `await_store` has said it before.
    assert set(raw) <= {"worker"}, raw
    assert "SSL" in str(found["worker"])


def test_a_bell_that_is_not_rung_says_why(authority: Authority, tmp_path: Path) -> None:
    with Listener(authority.certificate(days=-1)) as listener:
        settings = settings_of(f"rediss://:{SECRET}@localhost:{listener.port}", redis_ca=authority.file)
        with capture_logs() as logs, closing(Doorbell(make_celery(settings))) as doorbell:
            doorbell.ring(Lanes.WAKE_QUEUES[Lanes.ANY])
    assert [entry["error"] for entry in logs] == [
        "its certificate has expired (certificate has expired). Nothing was sent to it"
    ]
    assert listener.heard == []


async def test_who_says_so_believes_anybody_and_is_warned(authority: Authority, tmp_path: Path) -> None:
    with Listener(authority.unsigned()) as listener:
        url = f"rediss://:{SECRET}@localhost:{listener.port}/0?ssl_cert_reqs=none"
        settings = settings_of(url, data_dir=tmp_path)
        with capture_logs() as logs:
            await complaints(settings)
    # So the listener hears what it is sent: that others were sent nothing means something.
    assert sum(SECRET.encode() in heard for heard in listener.heard) >= 4
    told = [entry["detail"] for entry in logs if entry["event"] == "store_not_verified"]
    assert told == [settings.store_address.unverified]


async def test_a_host_name_is_not_looked_at_where_that_is_said(authority: Authority, tls_port: int) -> None:
    found = await complaints(
        settings_of(f"rediss://:{SECRET}@127.0.0.1:{tls_port}", redis_ca=authority.file),
    )
    assert all("IP address mismatch" in str(complaint) for complaint in found.values())
    url = f"rediss://:{SECRET}@127.0.0.1:{tls_port}?ssl_check_hostname=false"
    assert set((await complaints(settings_of(url, redis_ca=authority.file))).values()) == {None}


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("", {"db": 0, "ssl_cert_reqs": "required", "ssl_check_hostname": True, "socket_timeout": 5}),
    ("?db=3", {"db": 3}),
    ("?socket_timeout=7.5", {"socket_timeout": 7.5}),
    ("?socket_connect_timeout=3", {"socket_connect_timeout": 3}),
    ("?socket_keepalive=false", {"socket_keepalive": False}),
    ("?health_check_interval=20", {"health_check_interval": 20}),
    ("?client_name=me", {"client_name": "me"}),
    (f"?username=default&password={SECRET}", {"username": "default", "password": SECRET}),
    ("?ssl_cert_reqs=required", {"ssl_cert_reqs": "required"}),
    ("?ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": "none"}),
    ("?ssl_check_hostname=false", {"ssl_check_hostname": False}),
    ("?ssl_min_version=772", {"ssl_min_version": 772}),
    ("?ssl_ciphers=ECDHE%2BAESGCM", {"ssl_ciphers": "ECDHE+AESGCM"}),
    ("?ssl_certfile={file}", {"ssl_certfile": "{file}"}),
    ("?ssl_certfile={file}&ssl_keyfile={file}", {"ssl_keyfile": "{file}"}),
]


@pytest.mark.parametrize(("query", "options"), OPTIONS)
async def test_an_option_means_the_same_to_all(
    query: str, options: dict[str, Any], authority: Authority, tls_port: int, tmp_path: Path
) -> None:
    file = str(authority.certificate())
    query, options = (
        query.replace("{file}", file),
        {name: file if value == "{file}" else value for name, value in options.items()},
    )
    url = f"rediss://:{SECRET}@localhost:{tls_port}{query}"
    settings = settings_of(url, redis_ca=authority.file, data_dir=tmp_path)
    assert set((await complaints(settings)).values()) == {None}
    assert await connections(settings, options) == [options] * 3


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {"db": 0, "socket_timeout": 5, "password": SECRET}),
        ("?db=3", {"db": 3}),
        ("?socket_timeout=7.5", {"socket_timeout": 7.5}),
        ("?health_check_interval=20", {"health_check_interval": 20}),
        ("?client_name=me", {"client_name": "me"}),
    ],
)
async def test_so_it_does_behind_a_unix_socket(
    query: str, options: dict[str, Any], socket_path: Path, tls_port: int, tmp_path: Path
) -> None:
    settings = settings_of(f"unix://:{SECRET}@{socket_path}{query}", data_dir=tmp_path)
    assert set((await complaints(settings)).values()) == {None}
    assert await connections(settings, options) == [options] * 3


async def connections(settings: Settings, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What the trainer's, the API's and Celery's connections were made with, of some names."""
    with connect(settings) as client, closing(make_celery(settings)) as celery, celery.connection() as connection:
        async with aconnect(settings) as aclient:
            broker: Any = connection.default_channel
            kinds = [client.connection_pool, aclient.connection_pool, broker.client.connection_pool]
            return [{name: pool.connection_kwargs[name] for name in names} for pool in kinds]


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"GRADIENTD_REDIS_CA: '.*none\.pem' cannot be used: No such file"):
        load_settings(redis_ca=tmp_path / "none.pem")
    with pytest.raises(Misconfigured, match="GRADIENTD_REDIS_URL: the option 'max_connections' is none"):
        load_settings(redis_url="redis://h?max_connections=1")
    with pytest.raises(
        Misconfigured, match="GRADIENTD_REDIS_URL: does not use TLS, although GRADIENTD_REDIS_CA is set"
    ):
        load_settings(redis_url="redis://h", redis_ca=tmp_path)
