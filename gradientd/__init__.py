"""What a person uses: the command line, the Python client, and `gradientd up`, the whole service on one machine."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
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
    from gradientd.conversion.errors import NotConvertible
    from gradientd.conversion.keras_models import ConvertedModel, from_keras

__all__ = [
    "AsyncClient",
    "Client",
    "ConvertedModel",
    "NotConvertible",
    "NotSupported",
    "Refused",
    "ServerUnreachable",
    "StillRunning",
    "UnexpectedAnswer",
    "__version__",
    "from_keras",
]

__version__ = version("gradientd")


def _check_path() -> None:
    """Raise ImportError where another `jobs`, of the user's, comes before the package of that name that this needs."""
    found = find_spec("jobs")
    where = found.origin if found else None
    if where is None or not Path(where).resolve().is_relative_to(Path(__file__).resolve().parents[1] / "jobs"):
        raise ImportError(
            f"gradientd needs its own package `jobs`, and Python finds {where or 'none'} in its place: rename that, or "
            "take its folder off the path (python -P leaves out the script's own)"
        )


def __getattr__(name: str) -> Any:
    """What the client offers, imported when it is first asked for: the commands' modules live in this package too, and
    `python -m gradientd` has yet to take its folder off the path when this module is run.
    """
    if name in __all__:
        _check_path()
    if name in ("ConvertedModel", "NotConvertible", "from_keras"):  # which need NumPy, and the client has none
        module = "errors" if name == "NotConvertible" else "keras_models"
        return getattr(import_module(f"gradientd.conversion.{module}"), name)
    if name in __all__:
        from gradientd import client  # noqa: PLC0415 - see above

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
