"""A client that a program makes of the published document: complete, and of use."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from api.app import create_app
from jobs.settings import Settings
from tests.api.test_main import serving

GENERATOR = Path(__file__).parents[3] / ".venv-generator/bin/python"
"""An environment of its own, which `make test-slow` makes."""

BINARY = ("text/csv", "image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
"""Types of bodies that the generator has no name for."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GENERATOR.exists(), reason="needs openapi-python-client; `make test-slow` installs it"),
]


@pytest.fixture
def generated(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of the package that was made."""
    document = create_app(settings).openapi()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    as_bytes = dict.fromkeys(BINARY, "application/octet-stream")
    config = {"post_hooks": [], "content_type_overrides": as_bytes}  # no formatting
    (tmp_path / "config.yml").write_text(json.dumps(config))
    command = [str(GENERATOR), "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"]
    command += ["--output-path", "generated_client", "--config", "config.yml", "--fail-on-warning"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.stem for path in (tmp_path / "generated_client" / "api").rglob("*.py")} - {"__init__"}
    assert made == {
        operation["operationId"] for operations in document["paths"].values() for operation in operations.values()
    }
    monkeypatch.syspath_prepend(tmp_path)
    # Behind our own packages: what is made needs `attrs` beside them.
    where = [GENERATOR, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setattr(sys, "path", [*sys.path, packages])
    return "generated_client"


def test_a_job_is_submitted_and_polled_by_it(generated: str, settings: Settings, client: redis.Redis) -> None:
    def module(name: str) -> Any:
        return importlib.import_module(f"{generated}.{name}")

    models, jobs = module("models"), module("api.jobs.create_job")
    with serving(settings) as (_, url), module("client").Client(base_url=url) as http:
        spec = models.Spec(epochs=3, model=models.MLP(type_="mlp", hidden=[8]), optimizer=models.Adam(type_="adam"))
        created = jobs.sync(client=http, body=spec, idempotency_key="k")
        assert isinstance(created, models.Job)
        assert (created.status, created.spec.model.hidden, created.spec.optimizer.beta_1) == ("queued", [8], 0.9)
        read = module("api.jobs.get_job").sync(created.id, client=http, prefer="wait=1")
        assert read == created
        assert [job.id for job in module("api.jobs.list_jobs").sync(client=http).data] == [created.id]
        refused = jobs.sync(client=http, body=models.Spec(epochs=0))
        assert isinstance(refused, models.Problem)
        assert refused.errors[0].pointer == "/epochs"
        cancelled = module("api.jobs.cancel_job").sync(created.id, client=http)
        assert cancelled.status == "cancelled"
