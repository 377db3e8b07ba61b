"""Which addresses a webhook may reach: those of the internet, and none of the server's own network."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from jobs.errors import InvalidSpec
from jobs.webhook import Webhook

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

MOST_LOOKUPS = 128
"""Names looked up at once, each of them once. In threads of their own, more than there are requests under way: a slow
name server holds up those who name it, and nobody else."""

_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; Alibaba's metadata
        "168.63.129.16/32",  # Azure's metadata has an address of the internet
        "192.0.0.0/24",  # Oracle's metadata
        "192.88.99.0/24",  # relays to 6to4
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo, among others
        "3fff::/20",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that was given out; what lies outside may be translated or tunnelled to anywhere."""


def is_public(address: Address) -> bool:
    """Whether this is one host of the internet, also as what an IPv6 address translates to."""
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return is_public(within)
        if address not in _UNICAST:
            return False
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def literal(host: str) -> Address | None:
    """The address that a host is, in any way of writing one that resolvers know (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not host or host[0] not in "0123456789":
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def check_webhook(webhook: Webhook | None, *, allow_private: bool) -> None:
    """Raise InvalidSpec for a webhook that could never be called: without a secret, or at a private address.

    What a name means is looked at anew at each call.
    """
    if webhook is None:
        return
    if webhook.secret is None:
        raise InvalidSpec("a webhook needs a secret, by which its messages are signed", pointer="/webhook/secret")
    if allow_private:
        return
    host = (urlsplit(webhook.url).hostname or "").rstrip(".").lower()
    address = literal(host)
    if (address and not is_public(address)) or host == "localhost" or host.endswith(".localhost"):
        raise InvalidSpec(
            "a webhook may not be at a private, loopback, link-local or reserved address; whoever runs the server can "
            "allow it by GRADIENTD_WEBHOOKS_ALLOW_PRIVATE",
            pointer="/webhook/url",
        )


class Resolver:
    """Looks names up. Each call asks once, and whoever connects uses what it answered."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=MOST_LOOKUPS, thread_name_prefix="webhook-names")
        self._under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """The host's addresses, the preferred one first. Raises OSError and UnicodeError."""
        if address := literal(host):
            return [str(address)]
        asked = host, port
        if asked not in self._under_way:
            looking = asyncio.get_running_loop().run_in_executor(self._threads, _looked_up, host, port)
            self._under_way[asked] = looking
            looking.add_done_callback(lambda done: self._looked(asked, done))
        # Whoever waits no longer leaves it to the others.
        found = await asyncio.shield(self._under_way[asked])
        return list(dict.fromkeys(found))

    def _looked(self, asked: tuple[str, int], done: asyncio.Future[list[str]]) -> None:
        del self._under_way[asked]
        if not done.cancelled():
            done.exception()  # is taken note of, if everybody has given up

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _looked_up(host: str, port: int) -> list[str]:
    return [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
