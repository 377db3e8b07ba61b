"""What a person uses: the command line, the Python client, and `gradientd up`, the whole service on one machine."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradientd.client import (
        AsyncClient,
        Client,
        NotSupported,
        Refused,
        ServerUnreachable,
        StillRunning,
        UnexpectedAnswer,
    )

__all__ = [
    "AsyncClient",
    "Client",
    "NotSupported",
    "Refused",
    "ServerUnreachable",
    "StillRunning",
    "UnexpectedAnswer",
    "__version__",
]

__version__ = version("gradientd")


def __getattr__(name: str) -> Any:
    """What the client offers, imported when it is first asked for: the commands' modules live in this package too."""
    if name in __all__:
        from gradientd import client  # noqa: PLC0415 - see above

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
