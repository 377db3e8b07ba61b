"""What a Redis URL says, and what is said of one that cannot be used."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from jobs.store_address import StoreAddress, check_authorities

REDIS_MD = Path(__file__).parents[2] / "docs" / "redis.md"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://", {"host": "localhost", "port": 6379, "db": 0, "username": None, "password": None}),
        ("redis://h:1/4", {"host": "h", "port": 1, "db": 4}),
        ("redis://h/4?db=3", {"db": 3}),
        ("redis://[::1]:6380/0", {"host": "::1", "port": 6380}),
        ("redis://a:p%2Fq%40@h", {"username": "a", "password": "p/q@"}),
        ("redis://:p@h?password=q&username=a", {"username": "a", "password": "p"}),
        ("redis://h", {"socket_timeout": 5, "socket_connect_timeout": 2, "health_check_interval": 10}),
        ("redis://h?socket_timeout=7.5&socket_keepalive=no", {"socket_timeout": 7.5, "socket_keepalive": False}),
        ("unix:///run/r%201.sock?db=3", {"path": "/run/r 1.sock", "db": 3, "socket_timeout": 5}),
        ("rediss://h", {"ssl_cert_reqs": "required", "ssl_check_hostname": True}),
        ("rediss://h?ssl_cert_reqs=CERT_REQUIRED", {"ssl_cert_reqs": "required"}),
        ("rediss://h?ssl_min_version=772", {"ssl_min_version": ssl.TLSVersion.TLSv1_3}),
        (
            "rediss://h?ssl_include_verify_flags=VERIFY_X509_STRICT",
            {"ssl_include_verify_flags": [ssl.VerifyFlags.VERIFY_X509_STRICT]},
        ),
    ],
)
def test_a_url_says_what_redis_py_says_of_it(url: str, options: dict[str, Any]) -> None:
    found = StoreAddress.of(url).client_options()
    assert {name: found[name] for name in options} == options


def test_without_tls_nothing_is_said_of_certificates() -> None:
    for url in ("redis://h", "unix:///run/r.sock"):
        address = StoreAddress.of(url)
        assert not [name for name in address.client_options() if name.startswith("ssl_")]
        assert address.unverified is None


def test_a_unix_socket_is_not_kept_alive() -> None:
    assert "socket_keepalive" not in StoreAddress.of("unix:///run/r.sock").client_options()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://h", "must begin with redis://, rediss:// (TLS) or unix://"),
        ("h:6379", "must begin with redis://"),
        ("redis://:se/cret@h:1/0", "in a password, / ? # and @ are written %2F %3F %23 and %40"),
        ("redis://:se#cret@h:1/0", "in a password, / ? # and @ are written"),
        ("redis://:se\u2100cret@h", "is no URL; in a password, / ? # and @ are written"),
        ("redis://[::1", "is no URL"),
        ("redis://h:0", "its port is no number from 1 to 65535"),
        ("redis://h/first", "the database behind the address is no number: 'first'"),
        ("redis://h?db=-1", "the option db must be a whole number from 0 on, not '-1'"),
        ("redis://h?socket_timeout=soon", "the option socket_timeout must be a number of seconds above 0, not 'soon'"),
        ("redis://h?socket_timeout=inf", "socket_timeout must be a number of seconds above 0"),
        ("redis://h?health_check_interval=0", "health_check_interval must be a whole number from 1 on"),
        ("redis://h?socket_keepalive=maybe", "socket_keepalive must be true or false, not 'maybe'"),
        ("redis://h?client_name=a%20b", "client_name must be a word without spaces"),
        (
            "redis://h?max_connections=3",
            "the option 'max_connections' is none that all our clients know: client_name, ",
        ),
        ("redis://h?ssl_cert_reqs=none", "the option ssl_cert_reqs is for TLS: write rediss:// rather than redis://"),
        ("unix:///r.sock?ssl_ca_certs=x", "write rediss:// rather than unix://"),
        ("unix:///r.sock?socket_keepalive=1", "the option socket_keepalive is not for a Unix socket"),
        ("unix://", "must name the socket's path"),
        ("rediss://h?ssl_cert_reqs=of%20course", "ssl_cert_reqs must be required, or none to believe anybody"),
        ("rediss://h?ssl_check_hostname=perhaps", "ssl_check_hostname must be true or false"),
        ("rediss://h?ssl_min_version=1.3", "ssl_min_version must be 771 for TLS 1.2 or 772 for TLS 1.3, not '1.3'"),
        ("rediss://h?ssl_include_verify_flags=ALL", "names of Python's ssl.VerifyFlags, which ALL is not"),
        ("rediss://h?ssl_ca_certs=/none.pem", "ssl_ca_certs '/none.pem' cannot be used: No such file or directory"),
        ("rediss://h?ssl_ca_path=/none", "ssl_ca_path '/none' cannot be used: No such file or directory"),
        ("rediss://h?ssl_ca_data=none", "ssl_ca_data cannot be used"),
        ("rediss://h?ssl_certfile=/none.pem", "ssl_certfile '/none.pem' cannot be used: No such file or directory"),
        ("rediss://h?ssl_keyfile=/none.pem", "ssl_keyfile needs the certificate beside it: ssl_certfile"),
        ("rediss://h?ssl_ciphers=none", "ssl_ciphers 'none' cannot be used"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_why(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        StoreAddress.of(url).check_files()

    assert "cret" not in str(refused.value)


def test_the_documentation_names_every_option() -> None:
    with pytest.raises(ValueError, match="none that all our clients know: ") as refused:
        StoreAddress.of("rediss://h?unknown=1")
    known = str(refused.value).rpartition(": ")[2].split(", ")
    documented = re.findall(
        r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", REDIS_MD.read_text("utf-8"), re.MULTILINE))
    )
    assert sorted(known) == sorted(set(documented))


def test_a_place_reads_as_in_a_url() -> None:
    places = {url: StoreAddress.of(url).place for url in ("redis://h:1", "redis://[::1]", "unix:///run/r.sock")}
    assert list(places.values()) == ["h:1", "[::1]:6379", "/run/r.sock"]


def test_switching_verification_off_is_told_of() -> None:
    assert StoreAddress.of("rediss://h").unverified is None
    nobody = StoreAddress.of("rediss://h:1?ssl_cert_reqs=none").unverified
    assert (
        nobody
        == "ssl_cert_reqs=none: whoever answers at h:1 is taken for the store, and sent its password and all data"
    )
    any_host = StoreAddress.of("rediss://h:1?ssl_check_hostname=false").unverified
    assert any_host
    assert any_host.startswith(
        "ssl_check_hostname=false: whoever answers with any certificate of a trusted authority's"
    )


def test_authorities_of_ones_own_are_a_file_or_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    assert StoreAddress.of("rediss://h", ca=file).verification["ssl_ca_certs"] == str(file)
    assert StoreAddress.of("rediss://h", ca=tmp_path).verification["ssl_ca_path"] == str(tmp_path)


def test_authorities_are_named_once_and_for_tls(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has ssl_ca_certs although GRADIENTD_REDIS_CA is set"):
        StoreAddress.of("rediss://h?ssl_ca_certs=x", ca=tmp_path)
    with pytest.raises(ValueError, match="does not use TLS, although GRADIENTD_REDIS_CA is set: write rediss://"):
        StoreAddress.of("redis://h", ca=tmp_path)
    # The store that `gradientd up` brings along has no use for them.
    for url in ("redis://127.0.0.1/0", "redis://localhost", "unix:///run/r.sock"):
        assert StoreAddress.of(url, ca=tmp_path) == StoreAddress.of(url)


def test_a_file_without_an_authority_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file or directory"):
        check_authorities(tmp_path / "none.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ValueError, match=r"empty\.pem' cannot be used: "):
        check_authorities(tmp_path / "empty.pem")
    check_authorities(tmp_path)
