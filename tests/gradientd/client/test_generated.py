"""The synchronous client is what the asynchronous one makes it."""

from tests.gradientd.client.generated import BY_HAND, TARGET, made


def test_what_is_checked_in_is_what_the_generator_writes() -> None:
    written = made()
    assert {path.name for path in TARGET.glob("*.py")} == {*written, *BY_HAND}
    assert {"client.py", "connection.py", "pages.py", "streaming.py"} <= written.keys()
    for name, text in written.items():
        assert (TARGET / name).read_text("utf-8") == text, f"{name}: run `make client`"


def test_nothing_asynchronous_is_left_in_it() -> None:
    for name, text in made().items():
        words = set(text.replace("(", " ").replace(".", " ").split())
        assert not words & {"async", "await", "asyncio", "aclose", "aclosing", "AsyncClient", "AsyncIterator"}, name
