"""Receivers of webhooks."""

from collections.abc import Callable, Iterator

import pytest

from tests.api.webhooks.receiver import Behaviour, Receiver
from tests.conftest import free_port


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    """Make a receiver that listens."""
    made: list[Receiver] = []

    def make(*script: Behaviour, is_up: bool = True) -> Receiver:
        receiver = Receiver(script=list(script), port=0 if is_up else free_port())
        made.append(receiver)
        if is_up:
            receiver.start()
        return receiver

    yield make
    for receiver in made:
        receiver.stop()


@pytest.fixture
def receiver(receivers: Callable[..., Receiver]) -> Receiver:
    return receivers()
