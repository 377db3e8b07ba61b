"""A stack with a worker, and a browser before it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.api.browser import CHROMIUM, Page, browsing
from tests.e2e.conftest import Stack, make_stack  # noqa: F401 (a fixture)

DIGITS = {"preset": "mnist-99", "dataset": "mnist-10k", "epochs": 3}
LONG = {"epochs": 10_000, "model": {"type": "softmax"}, "loss": "cross_entropy"}
"""A job that does not end by itself within a test."""

Visit = Callable[..., AbstractContextManager[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are slow, and need a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: Debian's package chromium"))


@pytest.fixture(scope="session")
def site(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with one worker."""
    stack = Stack(redis_url, tmp_path_factory.mktemp("site"))
    try:
        stack.start_api()
        stack.start_worker("digits")
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def digits(site: Stack) -> str:
    """A job whose model reads digits."""
    return site.wait(site.submit(**DIGITS))["id"]


@pytest.fixture
def visit(site: Stack, tmp_path: Path) -> Visit:
    """Open the page at a place of it; what the browser complains of fails the test."""

    @contextmanager
    def visit(place: str = "", *, stack: Stack = site, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
        with browsing("about:blank", tmp_path / "browser") as page:
            page.resize(width)
            page.prefer(scheme)
            page.go(f"{address(stack)}/{place}")
            yield page
            assert page.complaints() == []

    return visit


def address(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.port}"
