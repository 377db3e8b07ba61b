"""Only hosts of the internet are called, however their address is written or wrapped."""

import ipaddress
import socket

import pytest

from api.webhooks.addresses import Resolver, check_webhook, is_public, literal
from jobs.errors import InvalidSpec
from jobs.webhook import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_a_host_of_the_internet_is_called(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "203.0.113.1",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2002:7f00:1::1",
        "2001:0:808:808::",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:0:127.0.0.1",
        "1::1",
        "200:7f00:1::",
        "4000::1",
        "a000::1",
        "e000::1",
        "3fff::1",
        "5f00::1",
        "100::1",
    ],
)
def test_no_other_is(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[fe80::1%25eth0]",
    ],
)
def test_a_private_address_is_refused_when_the_job_is_submitted(host: str) -> None:
    webhook = Webhook.model_validate({"url": f"http://{host}:8080/x", "secret": SECRET})
    with pytest.raises(InvalidSpec, match="private") as refused:
        check_webhook(webhook, allow_private=False)
    assert refused.value.pointer == "/webhook/url"
    check_webhook(webhook, allow_private=True)


def test_a_name_or_a_public_address_passes_then() -> None:
    for host in ("hooks.example.org", "8.8.8.8", "1.example.org", "[2001:4860:4860::8888]"):
        check_webhook(Webhook.model_validate({"url": f"https://{host}/", "secret": SECRET}), allow_private=False)
    check_webhook(None, allow_private=False)


def test_a_webhook_needs_a_secret() -> None:
    with pytest.raises(InvalidSpec, match="secret") as refused:
        check_webhook(Webhook(url="https://hooks.example.org/"), allow_private=True)
    assert refused.value.pointer == "/webhook/secret"


def test_a_name_is_no_address() -> None:
    assert [literal(host) for host in ("example.org", "1e100.net", "", "deadbeef")] == [None] * 4


@pytest.mark.anyio
async def test_names_are_looked_up(anyio_backend: str) -> None:
    resolver = Resolver()
    assert await resolver("127.0.0.1", 80) == ["127.0.0.1"]
    assert set(await resolver("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(socket.gaierror):
        await resolver("no.such.name.invalid", 80)
    resolver.close()
