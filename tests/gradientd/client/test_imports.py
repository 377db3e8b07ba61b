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
