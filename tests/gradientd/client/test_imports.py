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


def test_the_asynchronous_client_is_imported_by_those_who_use_it() -> None:
    program = (
        "import sys; from gradientd import Client; print('gradientd.client._async' in sys.modules);"
        "from gradientd import AsyncClient; from gradientd.client import AsyncPage; print(AsyncClient.__module__)"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "False\ngradientd.client._async.client\n"


def test_the_package_offers_nothing_else() -> None:
    import gradientd
    import gradientd.client

    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        gradientd.Klient  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'AsyncKlient'"):
        gradientd.client.AsyncKlient  # noqa: B018
