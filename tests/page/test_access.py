"""The page on a server that asks for keys."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.api_keys import KeyLimits, Scope, new_key, new_secret
from jobs.settings import Settings
from store.api_keys import KeyRing
from store.calls import connect, run
from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.page.conftest import DIGITS, Visit


@pytest.fixture
def guarded(make_stack: Callable[..., Stack]) -> Stack:
    """A stack that asks for keys."""
    stack = make_stack(auth="required")
    stack.start_api()
    return stack


def key_of(stack: Stack, owner: str) -> str:
    settings = Settings.model_validate(
        {"redis_url": stack.redis_url, "namespace": stack.namespace, "data_dir": stack.folder}
    )
    secret = new_secret()
    key = new_key(secret, owner=owner, scopes=(Scope.READ, Scope.SUBMIT), limits=KeyLimits())
    with connect(settings) as client:
        run(client, KeyRing.of(settings).create(key))
    return secret


def test_a_key_is_asked_for_kept_and_forgotten(visit: Visit, guarded: Stack, tmp_path: Path) -> None:
    alice, bob = key_of(guarded, "alice"), key_of(guarded, "bob")
    guarded.http.headers["authorization"] = f"Bearer {alice}"
    guarded.start_worker("w")
    job_id = guarded.wait(guarded.submit(**DIGITS))["id"]
    with visit("#/jobs", stack=guarded) as page:
        page.shows("dialog[open]", "This server asks for an API key.")
        page.evaluate("document.querySelector('dialog input').focus()")
        page.type("gd_nonsense")
        page.press("Enter")
        page.shows("dialog[open]", "not (or no longer) known")
        page.evaluate("document.querySelector('dialog input').focus()")
        page.type(alice)
        page.press("Enter")
        page.shows(f".job a[href='#/jobs/{job_id}']")
        page.forget()  # what was refused
        page.click(f".job a[href='#/jobs/{job_id}']")
        page.shows(".job-head .chip", "succeeded")
        wait_until(
            lambda: page.evaluate("document.querySelector('.chart .plot')?.data?.length") == 2, what="the curves"
        )
        page.evaluate(f"location.hash = '#/jobs/{job_id}/card'")
        wait_until(
            lambda: (
                page.evaluate("parseInt(document.querySelector('iframe.card-frame')?.style.height || 0) || 0") > 1500
            ),
            what="the card",
        )
        assert page.evaluate("document.querySelector('iframe.card-frame').contentDocument") is None

        page.keep_downloads(tmp_path)
        page.evaluate(f"location.hash = '#/jobs/{job_id}/files'")
        page.click("button[aria-label='Download model.onnx']")
        model = guarded.http.get(f"/v1/jobs/{job_id}/artifacts/model.onnx").content
        kept = tmp_path / "model.onnx"
        wait_until(lambda: kept.exists() and kept.read_bytes() == model, what="the downloaded model")
        assert page.evaluate("Object.keys(localStorage)") == []

        page.click("#tools button[aria-label='API key']")
        page.shows("dialog[open]")
        page.evaluate("document.querySelector('dialog input').focus()")
        page.type(bob)
        page.click("dialog button[value=keep]")
        page.shows("h1", "There is no such thing here")
        page.evaluate("location.hash = '#/jobs'")
        page.shows(".empty", "No jobs yet")
        page.click("#tools button[aria-label='API key']")
        page.click("dialog button[value=forget]")
        page.shows("dialog[open]", "This server asks for an API key.")
        assert page.evaluate("sessionStorage.length") == 0
        page.forget()
    addresses = guarded.processes[0].log.read_text()
    assert alice not in addresses
    assert bob not in addresses


def test_an_upload_with_a_revoked_key_asks_for_another(visit: Visit, guarded: Stack, tmp_path: Path) -> None:
    alice = key_of(guarded, "alice")
    (tmp_path / "people.csv").write_text("age,buys\n" + "".join(f"{n},{n % 2}\n" for n in range(100)))
    with visit("#/datasets", stack=guarded) as page:
        page.shows("dialog[open]")
        page.evaluate("document.querySelector('dialog input').focus()")
        page.type("gd_…")
        page.press("Enter")
        page.shows("dialog .wrong", "This is no key")
        page.type(alice)
        page.press("Enter")
        page.shows(".tile")
        page.drop("h1", tmp_path / "people.csv")
        page.shows("section[aria-label='Upload people.csv']")
        page.evaluate(f"sessionStorage.setItem('gradientd.key', {new_secret()!r})")
        page.click("section[aria-label^=Upload] button.primary")
        page.shows("dialog[open]", "not (or no longer) known")
        page.evaluate("document.querySelector('dialog input').focus()")
        page.type(alice)
        page.click("dialog button[value=keep]")
        page.shows("h1", "people")
        page.forget()  # what was refused
