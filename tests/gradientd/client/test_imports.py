"""What the client brings along: as little as its own requirements."""

import subprocess
import sys

import pytest

LIBRARIES = ["redis", "celery", "kombu", "fastapi", "uvicorn", "structlog", "pydantic_settings", "tensorflow", "numpy"]
SERVICE = ["store", "api", "worker"]


@pytest.mark.parametrize("module", ["gradientd.client", "gradientd.cli.app"])
def test_importing_it_leaves_the_service_out(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {LIBRARIES + SERVICE} if name in sys.modules])"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "[]\n"


def test_the_package_offers_the_client_without_importing_it() -> None:
    program = (
        "import sys, gradientd; print('gradientd.client' in sys.modules);"
        "from gradientd import Client, StillRunning; print(Client.__module__, 'redis' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "False\ngradientd.client._sync.client False\n"


def test_the_package_offers_nothing_else() -> None:
    import gradientd

    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        gradientd.Klient  # noqa: B018
