"""Two owners on a real `gradientd up` that asks for keys: made, used, kept apart and revoked on the command line."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_up import COMMAND, Up

pytestmark = pytest.mark.slow


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """A stack that asks for keys."""
    monkeypatch.setenv("GRADIENTD_AUTH", "required")
    monkeypatch.setenv("GRADIENTD_KEY_REQUESTS_PER_MINUTE", "600")
    up = Up(tmp_path / "data")
    yield up
    up.close()


def keys(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gradientd keys` on the stack's own store."""
    command = [*COMMAND, "keys", *arguments, "--data-dir", str(up.log.with_suffix(""))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def gradientd(up: Up, secret: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the stack with this key."""
    return subprocess.run(
        [*COMMAND, *arguments, "--url", up.url],
        env={**os.environ, "GRADIENTD_API_KEY": secret},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_two_owners_share_a_stack_and_see_nothing_of_each_other(up: Up) -> None:
    alice, bob = (keys(up, "create", "--owner", owner).stdout.strip() for owner in ("alice", "bob"))
    refused = up.gradientd("train", "--detach")
    assert refused.returncode == 2
    assert "this server wants an API key" in refused.stderr

    trained = gradientd(up, alice, "train", "--epochs", "1", "--json")
    assert trained.returncode == 0, trained.stderr
    job_id = json.loads(trained.stdout.splitlines()[-1])["id"]
    assert [json.loads(gradientd(up, secret, "jobs", "--json").stdout)["data"] != [] for secret in (alice, bob)] == [
        True,
        False,
    ]
    hers, his = ({"Authorization": f"Bearer {secret}"} for secret in (alice, bob))
    document = httpx.get(f"{up.url}/openapi.json", trust_env=False).json()
    routes = [(method, path) for path, found in document["paths"].items() if "{job_id}" in path for method in found]
    assert len(routes) >= 6
    for method, path in sorted(routes, key=lambda route: route[0] == "delete"):
        url = up.url + path.replace("{job_id}", job_id).replace("{name}", "weights.npz")
        assert httpx.request(method, url, headers=his, trust_env=False).status_code == 404
        assert httpx.request(method, url, trust_env=False).status_code == 401
        code = httpx.request(method, url, headers=hers, trust_env=False).status_code
        expected = {"/predict": {422}, "/redeliver": {404}}.get(path[path.rindex("/") :], {200, 204, 409})
        assert code in expected, path  # a prediction is sent no inputs, and no webhook was told anything

    (id_of_bob,) = (key["id"] for key in json.loads(keys(up, "list", "--json").stdout)["data"] if key["owner"] == "bob")
    keys(up, "revoke", id_of_bob)
    assert gradientd(up, bob, "jobs").returncode == 2
    assert gradientd(up, alice, "jobs").returncode == 0

    written = up.log.read_text() + "".join(
        file.read_text("utf-8", "replace") for file in up.log.with_suffix("").rglob("*") if file.is_file()
    )
    assert "event=job_status" in written
    assert f"job_id={job_id} job_owner=alice before=running after=succeeded" in written
    for secret in (alice, bob):
        assert secret not in written
