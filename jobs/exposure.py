"""Whom the API can be reached by, and that strangers are not let in by mistake."""

import ipaddress
from typing import TYPE_CHECKING

from jobs.errors import Misconfigured

if TYPE_CHECKING:  # the client asks `is_loopback` where pydantic-settings is not installed
    from jobs.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether the host is this machine and nobody else can reach it there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(settings: "Settings") -> None:
    """Raise Misconfigured where the API would listen to other machines and ask nobody for a key."""
    if is_loopback(settings.host) or settings.keys_required or settings.insecure:
        return
    raise Misconfigured(
        f"will not listen on {settings.host!r}, where other machines can reach it, without asking for API keys: set "
        "GRADIENTD_AUTH=required and create keys with `gradientd keys create`, or put hashed ones into "
        "GRADIENTD_API_KEYS, or listen on 127.0.0.1. To let anybody in all the same: --insecure or GRADIENTD_INSECURE=1"
    )
